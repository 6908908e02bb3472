//! The names of capabilities (capabilities(7)).

use clinit_engine::surroundings::Capabilities;

/// All of them; the place of each is its number.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A list of names, with blanks or commas between them, in any case and with or without `CAP_`; `none`; or
/// `all`, which keeps what there is.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one all there are")]
pub(super) fn capabilities(text: &str) -> Option<Option<Capabilities>> {
    match text {
        "all" => return Some(None),
        "none" => return Some(Some(Capabilities(0))),
        _ => {}
    }
    let mut words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
    words.peek()?;
    let set = words.try_fold(0, |set, word| Some(set | 1 << number(word)?))?;
    Some(Some(Capabilities(set)))
}

fn number(word: &str) -> Option<usize> {
    let name = word.to_ascii_lowercase();
    let name = name.strip_prefix("cap_").unwrap_or(&name);
    NAMES.iter().position(|other| *other == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Option<u64> {
        capabilities(text).flatten().map(|set| set.0)
    }

    #[test]
    fn names_may_have_their_prefix_and_any_case() {
        for text in ["net_bind_service kill", "CAP_NET_BIND_SERVICE,CAP_KILL", "Kill, cap_Net_Bind_Service,"]
        {
            assert_eq!(set(text), Some(1 << 10 | 1 << 5), "{text}");
        }
        assert_eq!(set("checkpoint_restore"), Some(1 << 40));
    }

    #[test]
    fn none_and_all_are_no_names_among_others() {
        assert_eq!(set("none"), Some(0));
        assert_eq!(capabilities("all"), Some(None));
        for text in ["", " ", ",", "none kill", "all,kill", "cap_", "net_bind", "10", "kill;chown"] {
            assert_eq!(capabilities(text), None, "{text}");
        }
    }
}
