//! The points at which programs are killed, and what brings a program there.

/// Whose process dies at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Coordinator,
    Agent,
    /// The supervisor of one step.
    Supervisor,
}

/// What brings a program to a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It works as always.
    Working,
    /// It starts.
    Starting,
    /// It starts over files that end in the middle of a line.
    StartingTorn,
}

#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub name: &'static str,
    pub victim: Victim,
    pub reached: Reached,
    /// Whether only an agent that makes accounts comes there.
    pub with_accounts: bool,
}

const fn point(victim: Victim, name: &'static str) -> Point {
    Point { name, victim, reached: Reached::Working, with_accounts: false }
}

const fn coordinator(name: &'static str) -> Point {
    point(Victim::Coordinator, name)
}

const fn starting(name: &'static str, reached: Reached) -> Point {
    Point { name, victim: Victim::Coordinator, reached, with_accounts: false }
}

const fn agent(name: &'static str) -> Point {
    point(Victim::Agent, name)
}

const fn supervisor(name: &'static str) -> Point {
    point(Victim::Supervisor, name)
}

/// Every point that a program passes here. `every_point_that_is_passed_is_one_of_these` keeps the table complete.
pub const POINTS: &[Point] = &[
    // The journal.
    coordinator("engine-before-sync"),
    coordinator("journal-before-write"),
    coordinator("journal-after-write"),
    coordinator("journal-after-sync"),
    coordinator("engine-after-sync"),
    coordinator("engine-after-answers"),
    coordinator("journal-before-rotate"),
    coordinator("journal-before-create"),
    coordinator("journal-after-create"),
    coordinator("journal-after-rotate"),
    starting("journal-after-open", Reached::Starting),
    starting("journal-before-cut", Reached::StartingTorn),
    starting("journal-after-cut", Reached::StartingTorn),
    coordinator("snapshot-before-rename"),
    coordinator("snapshot-after-rename"),
    // Keys of new tenants.
    coordinator("keys-before-sync"),
    coordinator("keys-after-sync"),
    // Uploads.
    coordinator("packages-before-sync"),
    coordinator("packages-after-sync"),
    coordinator("packages-after-rename"),
    coordinator("packages-after-names"),
    coordinator("packages-before-manifest"),
    coordinator("packages-after-manifest"),
    // Output of steps.
    coordinator("output-before-write"),
    coordinator("output-after-write"),
    coordinator("output-after-sync"),
    coordinator("output-before-answers"),
    coordinator("output-after-answers"),
    coordinator("output-before-rotate"),
    coordinator("output-before-create"),
    coordinator("output-after-create"),
    coordinator("output-after-rotate"),
    coordinator("output-index-before-commit"),
    coordinator("output-index-after-commit"),
    starting("output-after-open", Reached::Starting),
    starting("output-before-cut", Reached::StartingTorn),
    starting("output-after-cut", Reached::StartingTorn),
    // Admitting work.
    agent("assignment-before-rename"),
    agent("assignment-after-rename"),
    agent("assignment-after-sync"),
    agent("ledger-before-admit"),
    agent("ledger-after-admit"),
    // Fetching packages.
    agent("cache-before-sync"),
    agent("cache-after-sync"),
    agent("cache-before-rename"),
    agent("cache-after-rename"),
    agent("cache-after-names"),
    agent("cache-before-manifest"),
    agent("cache-after-manifest"),
    agent("cache-after-complete"),
    agent("ledger-before-fetched"),
    agent("ledger-after-fetched"),
    agent("cache-before-evict"),
    agent("cache-after-evict"),
    // A place for a tenant.
    Point { with_accounts: true, ..agent("account-before-make") },
    Point { with_accounts: true, ..agent("account-after-make") },
    agent("place-note-before-rename"),
    agent("place-note-after-rename"),
    agent("place-note-after-sync"),
    // A release beside the current one.
    agent("release-note-before-rename"),
    agent("release-note-after-rename"),
    agent("release-note-after-sync"),
    agent("unpack-before-sync"),
    agent("unpack-after-sync"),
    agent("release-before-rename"),
    agent("release-after-rename"),
    agent("release-after-sync"),
    agent("ledger-before-release"),
    agent("ledger-after-release"),
    // Running, switching, going back, cleaning up.
    agent("step-before-start"),
    agent("step-after-start"),
    agent("step-after-end"),
    agent("switch-before-rename"),
    agent("switch-after-rename"),
    agent("switch-after-sync"),
    agent("switch-before-remove"),
    agent("switch-after-remove"),
    agent("release-before-remove"),
    agent("release-after-remove"),
    // Telling how it ended.
    agent("report-before-rename"),
    agent("report-after-rename"),
    agent("report-after-sync"),
    agent("ledger-before-close"),
    agent("ledger-after-close"),
    // A new certificate.
    agent("renewal-before-rename"),
    agent("renewal-after-rename"),
    agent("renewal-after-sync"),
    // One step.
    supervisor("supervisor-marks-before-create"),
    supervisor("supervisor-marks-after-create"),
    supervisor("supervisor-marks-after-open"),
    supervisor("supervisor-after-fork"),
    supervisor("supervisor-before-started"),
    supervisor("supervisor-marks-before-write"),
    supervisor("supervisor-marks-after-write"),
    supervisor("supervisor-marks-after-sync"),
    supervisor("supervisor-after-started"),
    supervisor("supervisor-after-gate"),
    supervisor("supervisor-output-before-create"),
    supervisor("supervisor-output-after-create"),
    supervisor("supervisor-output-after-open"),
    supervisor("supervisor-output-before-write"),
    supervisor("supervisor-output-after-write"),
    supervisor("supervisor-output-after-sync"),
    supervisor("supervisor-output-before-rotate"),
    supervisor("supervisor-output-after-rotate"),
    supervisor("supervisor-variables-before-create"),
    supervisor("supervisor-variables-after-create"),
    supervisor("supervisor-variables-after-open"),
    supervisor("supervisor-variables-before-write"),
    supervisor("supervisor-variables-after-write"),
    supervisor("supervisor-variables-after-sync"),
    supervisor("supervisor-before-ended"),
    supervisor("supervisor-marks-before-rotate"),
    supervisor("supervisor-marks-after-rotate"),
    supervisor("supervisor-after-ended"),
];

/// The points of an enrolment, which `windlass-agent enrol` passes once each.
pub const ENROLMENT: [&str; 9] = [
    "enrolment-keys-before-rename",
    "enrolment-keys-after-rename",
    "enrolment-keys-after-sync",
    "enrolment-certificate-before-rename",
    "enrolment-certificate-after-rename",
    "enrolment-certificate-after-sync",
    "enrolment-membership-before-rename",
    "enrolment-membership-after-rename",
    "enrolment-membership-after-sync",
];

/// The points of the deletion of a tenant, whose key goes after the record and before the answer.
pub const DELETION: [&str; 6] = [
    "engine-before-sync",
    "journal-after-sync",
    "engine-after-sync",
    "key-before-remove",
    "key-after-remove",
    "engine-after-answers",
];
