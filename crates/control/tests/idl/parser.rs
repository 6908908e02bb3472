//! A parser of varlink's interface language, as much as the project's own files need.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) enum Type {
    Bool,
    Int,
    String,
    Named(String),
    Optional(Box<Self>),
    Array(Box<Self>),
    Struct(Vec<(String, Self)>),
    Enum(Vec<String>),
}

#[derive(Debug, Default)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) types: BTreeMap<String, Type>,
    /// Parameters and reply.
    pub(crate) methods: BTreeMap<String, (Type, Type)>,
    pub(crate) errors: BTreeMap<String, Type>,
}

pub(crate) fn parse(text: &str) -> Interface {
    let mut tokens = Tokens { all: tokens(text), next: 0 };
    let mut interface = Interface::default();
    tokens.expect("interface");
    interface.name = tokens.take();
    while tokens.peek(0).is_some() {
        let (keyword, name) = (tokens.take(), tokens.take());
        let fresh = match keyword.as_str() {
            "type" => interface.types.insert(name.clone(), tokens.parenthesis()).is_none(),
            "error" => interface.errors.insert(name.clone(), tokens.parenthesis()).is_none(),
            "method" => {
                let parameters = tokens.parenthesis();
                tokens.expect("->");
                interface.methods.insert(name.clone(), (parameters, tokens.parenthesis())).is_none()
            }
            other => panic!("{other} is no keyword"),
        };
        assert!(fresh, "{name} is there twice");
    }
    interface
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split('#').next().unwrap_or_default().trim_start();
        while !rest.is_empty() {
            let mark = ["->", "[]"].into_iter().find(|mark| rest.starts_with(mark));
            let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
            let length = mark.map_or(word.unwrap_or(rest.len()).max(1), str::len);
            let (token, after) = rest.split_at(length);
            tokens.push(token.to_owned());
            rest = after.trim_start();
        }
    }
    tokens
}

struct Tokens {
    all: Vec<String>,
    next: usize,
}

impl Tokens {
    fn peek(&self, ahead: usize) -> Option<&str> {
        self.all.get(self.next + ahead).map(String::as_str)
    }

    fn take(&mut self) -> String {
        self.next += 1;
        self.all.get(self.next - 1).unwrap_or_else(|| panic!("the text ends too early")).clone()
    }

    fn expect(&mut self, wanted: &str) {
        let token = self.take();
        assert_eq!(token, wanted, "in {:?}", &self.all[self.next.saturating_sub(4)..self.next]);
    }

    fn a_type(&mut self) -> Type {
        if self.peek(0) == Some("(") {
            return self.parenthesis();
        }
        match self.take().as_str() {
            "?" => Type::Optional(Box::new(self.a_type())),
            "[]" => Type::Array(Box::new(self.a_type())),
            "bool" => Type::Bool,
            "int" => Type::Int,
            "string" => Type::String,
            name => Type::Named(name.to_owned()),
        }
    }

    /// A struct, or an enumeration: names without types.
    fn parenthesis(&mut self) -> Type {
        self.expect("(");
        let is_enum = self.peek(0) != Some(")") && self.peek(1) != Some(":");
        let (mut fields, mut values) = (Vec::new(), Vec::new());
        while self.peek(0) != Some(")") {
            let name = self.take();
            if is_enum {
                values.push(name);
            } else {
                self.expect(":");
                fields.push((name, self.a_type()));
            }
            if self.peek(0) != Some(")") {
                self.expect(",");
            }
        }
        self.expect(")");
        if is_enum { Type::Enum(values) } else { Type::Struct(fields) }
    }
}
