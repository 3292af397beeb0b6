//! The hostile classes.

/// What a plugin does to every request that it gets.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The file in the plugin directory.
    pub(crate) plugin: &'static str,
    /// The deed of the plugin `hostile`; none for a filter by hand.
    pub(crate) deed: Option<&'static str>,
}

/// All nine, from time over memory to words.
pub(crate) const ALL: [Class; 9] = [
    told("endless loop", "spin"),
    told("slow loop", "slow"),
    told("memory bomb", "hog"),
    Class {
        name: "table bomb",
        plugin: "grow-table",
        deed: None,
    },
    told("deep recursion", "recurse"),
    told("trap", "panic"),
    told("nonsense answers", "nonsense"),
    told("log flood", "log-flood"),
    told("host-call flood", "call-flood"),
];

const fn told(name: &'static str, deed: &'static str) -> Class {
    Class {
        name,
        plugin: "hostile",
        deed: Some(deed),
    }
}

impl Class {
    /// Its step of a pipeline.
    pub(crate) fn step(&self) -> String {
        match self.deed {
            Some(deed) => format!("{{ plugin: {}, config: \"request:{deed}\" }}", self.plugin),
            None => format!("{{ plugin: {} }}", self.plugin),
        }
    }

    /// Its name in file names.
    pub(crate) fn id(&self) -> String {
        self.name.replace(' ', "-")
    }
}
