/// How often the jobs of a section occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// Once in the experiment.
    Once,
    /// Once for each start date.
    Date,
    /// Once for each start date and member.
    Member,
    /// Once for each start date, member and chunk.
    Chunk,
}

impl Running {
    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Date => "date",
            Self::Member => "member",
            Self::Chunk => "chunk",
        }
    }
}

/// What jobs of a section that runs by chunk are shared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronize {
    /// One job for all members of a date and chunk.
    Member,
    /// One job for all dates and members of a chunk.
    Date,
}

impl Synchronize {
    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Date => "date",
        }
    }
}

/// That a section's jobs wait for those of another, or for their own predecessors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The section that is waited for.
    pub section: String,
    /// How many chunks earlier; 0 is the same chunk.
    pub back: u32,
}

/// A kind of job: one section of the jobs' configuration.
#[derive(Debug, Clone)]
pub struct Section {
    /// Name, in capitals.
    pub name: String,
    /// How often its jobs occur.
    pub running: Running,
    /// What its jobs wait for.
    pub dependencies: Vec<Dependency>,
    /// Parts that each job is split into.
    pub splits: Option<u32>,
    /// Jobs shared across members or dates; needs [`Running::Chunk`].
    pub synchronize: Option<Synchronize>,
    /// Processors asked for.
    pub processors: u32,
    /// Typical run time in minutes. The wallclock asked for is twice that.
    pub minutes: u32,
    /// Platform; the experiment's own without one.
    pub platform: Option<String>,
    /// Whether each completed job leaves two user metrics.
    pub metrics: bool,
}

impl Section {
    /// A section of one processor and ten minutes, waiting for nothing.
    pub fn new(name: &str, running: Running) -> Self {
        Self {
            name: name.to_owned(),
            running,
            dependencies: Vec::new(),
            splits: None,
            synchronize: None,
            processors: 1,
            minutes: 10,
            platform: None,
            metrics: false,
        }
    }

    /// Adds a dependency in Autosubmit's words: `SIM`, or `SIM-1` for the chunk before.
    #[must_use]
    pub fn after(mut self, dependency: &str) -> Self {
        let (section, back) = match dependency.rsplit_once('-') {
            Some((section, back)) => (section, back.parse().unwrap_or(0)),
            None => (dependency, 0),
        };
        self.dependencies.push(Dependency {
            section: section.to_owned(),
            back,
        });
        self
    }

    /// Splits each job into so many parts.
    #[must_use]
    pub fn splits(mut self, splits: u32) -> Self {
        self.splits = Some(splits);
        self
    }

    /// Shares the jobs of a chunk across members or dates.
    #[must_use]
    pub fn synchronize(mut self, across: Synchronize) -> Self {
        self.synchronize = Some(across);
        self
    }

    /// Asks for so many processors.
    #[must_use]
    pub fn processors(mut self, processors: u32) -> Self {
        self.processors = processors;
        self
    }

    /// Runs for about so many minutes.
    #[must_use]
    pub fn minutes(mut self, minutes: u32) -> Self {
        self.minutes = minutes;
        self
    }

    /// Runs on another platform than the experiment's.
    #[must_use]
    pub fn on(mut self, platform: &str) -> Self {
        self.platform = Some(platform.to_owned());
        self
    }

    /// Leaves user metrics.
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.metrics = true;
        self
    }

    /// The wallclock asked for, `HH:MM`.
    pub fn wallclock(&self) -> String {
        let minutes = u64::from(self.minutes) * 2;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// The queue asked for: short jobs go to `debug`.
    pub fn queue(&self) -> &'static str {
        if self.minutes <= 15 {
            "debug"
        } else {
            "production"
        }
    }

    /// The dependencies in Autosubmit's words: `INI`, `SIM-1`.
    pub fn dependency_names(&self) -> Vec<String> {
        let name = |dependency: &Dependency| match dependency.back {
            0 => dependency.section.clone(),
            back => format!("{}-{back}", dependency.section),
        };
        self.dependencies.iter().map(name).collect()
    }
}
