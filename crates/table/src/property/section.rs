//! The headings under which the documentation lists properties.

/// What a property is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// The daemon's own files.
    Daemon,
    /// What groups do at start.
    Levels,
    /// How entries are stopped.
    Stopping,
    /// In which order the entries of a group start and stop.
    Order,
    /// When entries are ready, and what they are given for that.
    Ready,
    /// Whether entries are well.
    Health,
    /// How often entries are started again.
    Respawning,
    /// How entries read their configuration again.
    Reloading,
    /// Where the lines of entries go.
    Output,
    /// Who an entry is, and what it may do.
    Identity,
    /// What an entry finds around it.
    Surroundings,
    /// Limits of single processes.
    Limits,
    /// Bounds of an entry as a whole.
    Bounds,
}

impl Section {
    /// All sections, in the order in which the documentation has them.
    pub const ALL: [Self; 13] = [
        Self::Daemon,
        Self::Levels,
        Self::Stopping,
        Self::Order,
        Self::Ready,
        Self::Health,
        Self::Respawning,
        Self::Reloading,
        Self::Output,
        Self::Identity,
        Self::Surroundings,
        Self::Limits,
        Self::Bounds,
    ];

    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Daemon => "The daemon",
            Self::Levels => "Levels",
            Self::Stopping => "Stopping",
            Self::Order => "Order within a group",
            Self::Ready => "Readiness and sockets",
            Self::Health => "Health",
            Self::Respawning => "Starting again",
            Self::Reloading => "Reloading",
            Self::Output => "Output",
            Self::Identity => "Identity and privileges",
            Self::Surroundings => "Surroundings",
            Self::Limits => "Limits of a process",
            Self::Bounds => "Cgroups and bounds",
        }
    }

    /// A sentence below the heading.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Daemon => {
                "The daemon's own files. The command line beats what the table says, unless the table says \
                 `::override:NAME:VALUE`."
            }
            Self::Levels => "What a group does at start.",
            Self::Stopping => "How an entry is stopped: it is asked, and after a time killed.",
            Self::Order => "Which entries of its group an entry follows. Groups never wait for each other.",
            Self::Ready => "When an entry is ready, which may be later than when it was started.",
            Self::Health => "Whether an entry that is ready is well.",
            Self::Respawning => {
                "When an entry of mode `respawn` is started again, how one that ends again and again is held \
                 back, and when it has failed."
            }
            Self::Reloading => "How an entry is made to read its configuration again.",
            Self::Output => "Where standard output and standard error of an entry go.",
            Self::Identity => "Who an entry runs as, and what that one may do.",
            Self::Surroundings => {
                "What an entry finds around it. What cannot be had is the reason why it is not executed."
            }
            Self::Limits => {
                "Limits of each single process of an entry (setrlimit(2)). Without one the daemon's holds."
            }
            Self::Bounds => {
                "An entry with all its processes. Bounds hold where the machine has cgroup2 with the \
                 controller; elsewhere a note says so, and the entry runs without."
            }
        }
    }
}
