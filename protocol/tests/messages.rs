//! The bytes of every message: golden, because agents of last month speak with coordinators of today and the other way
//! round. Lines are only ever added.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use windlass_protocol::codec::{self, Message};
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnrolmentId, EnvironmentId, ProjectId, SpaceId, StepId, TargetId, TenantId,
};
use windlass_protocol::message::*;
use windlass_protocol::{Digest, Slug, Timestamp};

/// What was written, and which of the variants that there are was in it.
#[derive(Default)]
struct Golden {
    text: String,
    found: BTreeSet<String>,
}

impl Golden {
    fn message<M: Message>(&mut self, message: &M) {
        let body = codec::body(message).expect("a message");
        let again = codec::decode::<M>(&body).expect("what was written can be read");
        assert_eq!(codec::body(&again).expect("a message"), body, "what was read is written alike");
        let json = serde_json::to_value(message).expect("it is JSON");
        let name = std::any::type_name::<M>().rsplit("::").next().expect("a name");
        let hex = data_encoding::HEXLOWER.encode(&body);
        writeln!(self.text, "{name} {}\n    {hex}", said(&json)).expect("a text takes all");
        self.look(&json);
    }

    /// Notes every word that may be a variant's name.
    fn look(&mut self, json: &serde_json::Value) {
        match json {
            serde_json::Value::String(word) => {
                self.found.insert(word.clone());
            }
            serde_json::Value::Array(parts) => parts.iter().for_each(|part| self.look(part)),
            serde_json::Value::Object(parts) => {
                for (name, part) in parts {
                    self.found.insert(name.clone());
                    self.look(part);
                }
            }
            _ => {}
        }
    }

    /// Every variant of `T` is somewhere in what was written.
    fn expect_all<T: DeserializeOwned>(&self) {
        let Err(why) = serde_json::from_str::<T>(r#""?""#) else { panic!("`?` is no variant") };
        let why = why.to_string();
        let (_, expected) = why.split_once("expected").expect("it says what it expected");
        let expected: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        assert!(!expected.is_empty(), "the variants are known: {why}");
        for name in expected {
            assert!(self.found.contains(name), "no message has `{name}` of {}", std::any::type_name::<T>());
        }
    }
}

/// A message in words, bytes as their number.
fn said(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Array(parts) if parts.len() > 8 => format!("[{} bytes]", parts.len()),
        serde_json::Value::Array(parts) => {
            format!("[{}]", parts.iter().map(said).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(parts) => {
            let parts: Vec<_> = parts.iter().map(|(name, part)| format!("{name}: {}", said(part))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        other => other.to_string(),
    }
}

const ASSIGNMENT: AssignmentId = AssignmentId::from_bytes([1; 16]);
const GENERATION: Generation = Generation { epoch: 2, sequence: 300 };
const NOW: Timestamp = Timestamp::from_milliseconds(1_800_000_000_000);

fn advertised(participation: Participation) -> Advertised {
    let names = |name: &str| Some(vec![name.to_owned()]);
    Advertised {
        roles: names("web"),
        environments: names("Production"),
        tenants: None,
        tenant_tags: names("Ring/Pinned"),
        participation: Some(participation),
    }
}

fn path(tenant: bool) -> InstallationPath {
    let slug = |text: &str| text.parse::<Slug>().expect("a slug");
    InstallationPath {
        space: (SpaceId::from_bytes([3; 16]), slug("default")),
        environment: (EnvironmentId::from_bytes([4; 16]), slug("production")),
        environment_name: "Production".to_owned(),
        tenant: tenant.then(|| (TenantId::from_bytes([5; 16]), slug("customer-3"))),
        tenant_name: tenant.then(|| "Customer 3".to_owned()),
        project: (ProjectId::from_bytes([6; 16]), slug("synergy")),
        version: "1.4.0".to_owned(),
    }
}

fn assignment(tenant: bool, work: Work) -> Assignment {
    Assignment {
        target: TargetId::from_bytes([7; 16]),
        id: ASSIGNMENT,
        generation: GENERATION,
        not_before: NOW,
        expires: NOW,
        deployment: DeploymentId::from_bytes([8; 16]),
        path: path(tenant),
        work,
    }
}

fn run(action: Action) -> Work {
    Work::Run(Box::new(RunWork {
        step: (StepId::from_bytes([9; 16]), "web".parse().expect("a slug")),
        name: "Web".to_owned(),
        action,
        variables: Some(Digest::of("variables")),
        timeout_seconds: 600,
        safe_to_repeat: true,
        concurrent: false,
        keep: 3,
    }))
}

fn package() -> PackageReference {
    let (id, version) = ("synergy-web".to_owned(), "1.4.0".to_owned());
    PackageReference { id, version, manifest: Digest::of("manifest"), size: 1_000_000 }
}

fn enrolments(golden: &mut Golden) {
    for (participation, isolation) in [
        (Participation::Untenanted, Isolation::Accounts),
        (Participation::Tenanted, Isolation::SingleTenant),
        (Participation::Both, Isolation::None),
    ] {
        golden.message(&Enrol {
            enrolment: EnrolmentId::from_bytes([10; 16]),
            secret: [11; 32],
            request: vec![12; 3],
            sealing_key: [13; 32],
            name: "web-1".to_owned(),
            advertised: advertised(participation),
            isolation,
        });
    }
    golden.message(&EnrolAnswer::Enrolled(Box::new(Enrolled {
        target: TargetId::from_bytes([7; 16]),
        name: "web-1".to_owned(),
        certificate: vec![14; 3],
        authority: vec![15; 3],
        assignment_key: [16; 32],
        sealing_key: [17; 32],
        now: NOW,
    })));
    use EnrolRefusal::{BadName, BadRequest, Busy, Expired, MakerGone, NameTaken, Unknown, Used};
    for refusal in [Unknown, Used, Expired, NameTaken, BadName, BadRequest, Busy, MakerGone] {
        golden.message(&EnrolAnswer::Refused(refusal));
    }
    golden.expect_all::<Participation>();
    golden.expect_all::<Isolation>();
    golden.expect_all::<EnrolAnswer>();
    golden.expect_all::<EnrolRefusal>();
}

fn sessions(golden: &mut Golden) {
    golden.message(&Hello {
        lowest: 1,
        highest: 2,
        agent_version: "1.0.0".to_owned(),
        advertised: advertised(Participation::Both),
        isolation: Isolation::Accounts,
        generation: Some(GENERATION),
        unfinished: vec![ASSIGNMENT],
    });
    golden.message(&FromAgent::Heartbeat);
    golden.message(&FromAgent::Progress { assignment: ASSIGNMENT, moved: 1, saved: 2, total: 300 });
    golden.message(&FromCoordinator::Welcome(Box::new(Welcome {
        version: 1,
        now: NOW,
        heartbeat_seconds: 20,
        target: "web-1".to_owned(),
        space: "Default".to_owned(),
        effective: EffectiveScope {
            roles: vec!["web".to_owned()],
            environments: vec!["Production".to_owned()],
            tenants: "Customer 3".to_owned(),
            participation: Some(Participation::Tenanted),
        },
        generation: GENERATION,
        renew: true,
    })));
    golden.message(&FromCoordinator::Nudge { generation: GENERATION });
    golden.message(&FromCoordinator::Alive { now: NOW, heartbeat_seconds: 20, generation: GENERATION });
    for goodbye in [
        Goodbye::Version { lowest: 1, highest: 2 },
        Goodbye::NotAdmitted,
        Goodbye::Expired,
        Goodbye::Replaced,
        Goodbye::FutureGeneration,
        Goodbye::Protocol,
        Goodbye::TooOften,
        Goodbye::Busy,
    ] {
        golden.message(&FromCoordinator::Goodbye(goodbye));
    }
    golden.expect_all::<FromAgent>();
    golden.expect_all::<FromCoordinator>();
    golden.expect_all::<Goodbye>();
}

fn assignments(golden: &mut Golden) {
    golden.message(&assignment(false, Work::Fetch(FetchWork { packages: vec![package()] })));
    let substitute = vec!["*.config".to_owned()];
    golden.message(&assignment(true, run(Action::Package { package: package(), substitute })));
    for shell in [Shell::Bash, Shell::Sh, Shell::Python, Shell::Pwsh] {
        golden.message(&assignment(true, run(Action::Script(Body { shell, text: "true".to_owned() }))));
    }
    golden.expect_all::<Work>();
    golden.expect_all::<Action>();
    golden.expect_all::<Shell>();
}

fn requests(golden: &mut Golden) {
    golden.message(&Request::Assignments { since: Some(GENERATION), after: Some((GENERATION, ASSIGNMENT)) });
    golden.message(&Request::Pull(PullRequest {
        assignment: ASSIGNMENT,
        manifest: Digest::of("manifest"),
        has_manifest: true,
        holds: vec![Digest::of("held")],
        complete_files: 4,
        complete_segments: 5,
    }));
    golden.message(&Request::Variables { assignment: ASSIGNMENT });
    let lines = [OutputStream::Out, OutputStream::Err, OutputStream::Note];
    let lines = lines.map(|stream| OutputLine { time: NOW, stream, text: "line".to_owned() }).to_vec();
    golden.message(&Request::Output { assignment: ASSIGNMENT, first: 6, lines });
    golden.message(&Request::Renew { request: vec![18; 3] });
    reports(golden);
    golden.expect_all::<Request>();
    golden.expect_all::<OutputStream>();
}

fn reports(golden: &mut Golden) {
    use Refusal::{
        BadSignature, ChangedContent, Expired, NotForThisTarget, OldGeneration, OtherTenant,
        OutsideConfiguration, Unsupported,
    };
    let refusals = [
        NotForThisTarget,
        BadSignature,
        OldGeneration,
        ChangedContent,
        Expired,
        OutsideConfiguration,
        OtherTenant,
        Unsupported,
    ];
    let reason = || "a reason".to_owned();
    let variable = |name: &str, value| OutputVariable { name: name.to_owned(), value };
    let ended = |outcome| ReportKind::Ended {
        outcome,
        variables: vec![
            variable("Port", OutputVariableValue::Plain("80".to_owned())),
            variable("Pin", OutputVariableValue::Sealed(vec![19; 3])),
        ],
        lines: 7,
    };
    let kinds = refusals.into_iter().map(ReportKind::Refused).chain([
        ReportKind::Fetched { moved: 1, saved: 2 },
        ReportKind::FetchFailed(reason()),
        ReportKind::Started,
        ended(Outcome::Succeeded),
        ended(Outcome::Failed { reason: reason() }),
        ended(Outcome::TimedOut),
        ended(Outcome::Stopped),
        ended(Outcome::Unknown),
    ]);
    for kind in kinds {
        golden.message(&Request::Report(vec![Report { assignment: ASSIGNMENT, kind }]));
    }
    golden.expect_all::<Refusal>();
    golden.expect_all::<ReportKind>();
    golden.expect_all::<Outcome>();
    golden.expect_all::<OutputVariableValue>();
}

fn answers(golden: &mut Golden) {
    for denied in [Denied::NotFound, Denied::Busy, Denied::Malformed] {
        golden.message(&Answer::Denied(denied));
    }
    golden.message(&Answer::Assignments(Assignments {
        generation: GENERATION,
        active: vec![ASSIGNMENT],
        new: vec![SignedAssignment { body: vec![20; 3], signature: vec![21; 3] }],
        next: Some((GENERATION, ASSIGNMENT)),
    }));
    golden.message(&Answer::Pull(PullHeader { manifest_bytes: 1, files: 2, bytes: 300 }));
    golden.message(&Answer::Variables(SealedVariables { encapsulated: vec![22; 3], sealed: vec![23; 3] }));
    golden.message(&Answer::Reported);
    golden.message(&Answer::Output { next: 8 });
    golden.message(&Answer::Renewed { certificate: vec![24; 3] });
    let base = Digest::of("base");
    for encoding in [FileEncoding::Plain, FileEncoding::Zstd, FileEncoding::Patch { base }] {
        golden.message(&PullFile { digest: Digest::of("file"), size: 9, encoding, segments: 1 });
    }
    let variables = [Origin::Process, Origin::Tenant, Origin::Other].map(|origin| ClearVariable {
        name: "Port".to_owned(),
        value: "80".to_owned(),
        sensitive: false,
        origin,
    });
    golden.message(&ClearVariables { salt: [25; 32], variables: variables.to_vec() });
    golden.expect_all::<Denied>();
    golden.expect_all::<Answer>();
    golden.expect_all::<FileEncoding>();
}

#[test]
fn every_message_has_the_bytes_that_it_always_had() {
    let mut golden = Golden::default();
    for part in [enrolments, sessions, assignments, requests, answers] {
        golden.found.clear();
        part(&mut golden);
    }
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(
        "Every message and its bytes. A line is never changed: peers of another age read it.",
    );
    settings.bind(|| insta::assert_snapshot!("messages", golden.text));
}
