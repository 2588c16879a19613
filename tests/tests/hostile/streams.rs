//! A coordinator that sends hostile assignments and packages to a real agent. What a single stream can do wrong is
//! shown where pulls are made (`windlass-agent-packages`, `hostile.rs`); here, that the whole program refuses, says why,
//! and that nothing of it reaches a disk.

use std::collections::BTreeSet;
use std::fs;

use ed25519_dalek::{Signer, SigningKey};
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnvironmentId, ProjectId, SpaceId, StepId, TargetId, TenantId,
};
use windlass_protocol::message::{
    Action, Answer, Assignment, FetchWork, FileEncoding, Generation, InstallationPath, Outcome,
    PackageReference, PullFile, PullHeader, Report, ReportKind, RunWork, SignedAssignment, Work,
};
use windlass_protocol::{Digest, Timestamp};
use windlass_tests::installation::wait_until;
use windlass_tests::raw::{body, frame};

use super::below;
use super::coordinator::{Job, Script, TARGET, agent_of};

const EVIL: &[u8] = b"evil";

/// What is wrong, and the job.
struct Case {
    what: &'static str,
    job: Job,
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn assignment(number: u64, work: Work) -> Assignment {
    let bytes = [u8::try_from(number).expect("few cases"); 16];
    let slug = |text: &str| text.parse().expect("a slug");
    Assignment {
        target: TARGET,
        id: AssignmentId::from_bytes(bytes),
        generation: Generation { epoch: 1, sequence: number },
        not_before: Timestamp::from_milliseconds(0),
        expires: Timestamp::from_milliseconds(i64::MAX / 2),
        deployment: DeploymentId::from_bytes(bytes),
        path: InstallationPath {
            space: (SpaceId::from_bytes([1; 16]), slug("default")),
            environment: (EnvironmentId::from_bytes([1; 16]), slug("production")),
            environment_name: "Production".to_owned(),
            tenant: Some((TenantId::from_bytes([1; 16]), slug("abcdefghij"))),
            tenant_name: Some("Tenant".to_owned()),
            project: (ProjectId::from_bytes([1; 16]), slug("project")),
            version: "1.0.0".to_owned(),
        },
        work,
    }
}

fn sign(body: Vec<u8>) -> SignedAssignment {
    let signed = [SignedAssignment::SIGNED_PREFIX, &body].concat();
    SignedAssignment { signature: key().sign(&signed).to_bytes().to_vec(), body }
}

fn job(assignment: &Assignment, stream: Vec<u8>) -> Job {
    Job { id: assignment.id, assignment: sign(body(assignment)), stream }
}

fn reference(text: &[u8], size: u64) -> PackageReference {
    PackageReference { id: "web".to_owned(), version: "1.0.0".to_owned(), manifest: Digest::of(text), size }
}

fn run(package: PackageReference) -> Work {
    Work::Run(Box::new(RunWork {
        step: (StepId::from_bytes([1; 16]), "install".parse().expect("a slug")),
        name: "Install".to_owned(),
        action: Action::Package { package, substitute: Vec::new() },
        variables: None,
        timeout_seconds: 60,
        safe_to_repeat: false,
        concurrent: false,
        keep: 3,
    }))
}

/// The header and the manifest of an answer that announces `files` contents.
fn begin(text: &[u8], files: u32, bytes: u64) -> Vec<u8> {
    let manifest_bytes = u32::try_from(text.len()).expect("a manifest");
    [frame(&Answer::Pull(PullHeader { manifest_bytes, files, bytes })), text.to_vec()].concat()
}

fn content(digest: Digest, size: usize, encoding: FileEncoding, segment: &[u8]) -> Vec<u8> {
    let mut bytes = frame(&PullFile { digest, size: size as u64, encoding, segments: 1 });
    bytes.extend(u32::try_from(segment.len()).expect("short").to_be_bytes());
    bytes.extend(segment);
    bytes
}

fn line(path: impl AsRef<[u8]>) -> Vec<u8> {
    let start = format!("f {} {} ", EVIL.len(), Digest::of(EVIL));
    [start.as_bytes(), path.as_ref(), b"\n"].concat()
}

/// Manifests that are what their digest says, and no well-formed tree.
fn trees() -> Vec<(&'static str, Vec<u8>)> {
    let many = (0..200_001).flat_map(|number| format!("d {number:06}\n").into_bytes()).collect();
    vec![
        ("traversal", line("../evil")),
        ("absolute", line("/etc/evil")),
        ("with a NUL byte", line(b"evil\0.txt")),
        ("not UTF-8", line(b"evil\xff")),
        ("a link out", [line("evil"), b"l link\0../../x\n".to_vec()].concat()),
        ("an absolute link", [line("evil"), b"l link\0/etc\n".to_vec()].concat()),
        ("a file through a link", [b"d folder\nl link\0folder\n".to_vec(), line("link/evil")].concat()),
        ("the same name twice", [line("evil"), line("evil")].concat()),
        ("a name that differs in case", [line("EVIL"), line("evil")].concat()),
        ("too many entries", many),
        ("too large", format!("f 70000000000 {} evil\n", Digest::of(EVIL)).into_bytes()),
        ("a device", b"c evil\n".to_vec()),
    ]
}

/// Streams that lie about what they bring.
fn streams(text: &[u8], own: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (digest, size) = (Digest::of(own), own.len());
    let start = begin(text, 1, size as u64);
    let bomb = zstd::bulk::compress(&[0; 1 << 20], 3).expect("memory takes it");
    let huge = frame(&Answer::Pull(PullHeader { manifest_bytes: u32::MAX, files: 1, bytes: 4 }));
    vec![
        ("another manifest", begin(b"d other\n", 0, 0)),
        ("an endless manifest", huge),
        ("more files than there are", begin(text, 9, size as u64)),
        (
            "another content",
            [start.clone(), content(digest, size, FileEncoding::Plain, &vec![b'?'; size])].concat(),
        ),
        (
            "a content of nobody's",
            [start.clone(), content(Digest::of("x"), 1, FileEncoding::Plain, b"x")].concat(),
        ),
        ("a huge size", [start.clone(), content(digest, usize::MAX, FileEncoding::Plain, own)].concat()),
        ("a bomb", [start.clone(), content(digest, size, FileEncoding::Zstd, &bomb)].concat()),
        (
            "bytes after the end",
            [start, content(digest, size, FileEncoding::Plain, own), b"x".to_vec()].concat(),
        ),
    ]
}

/// Assignments that the agent must not carry out, whatever they bring.
fn orders(next: impl Fn() -> u64, text: &[u8], honest: &[u8]) -> Vec<Case> {
    let size = EVIL.len() as u64;
    let fetch = |number| assignment(number, Work::Fetch(FetchWork { packages: vec![reference(text, size)] }));
    let mut cases = Vec::new();
    let foreign = Assignment { target: TargetId::from_bytes([8; 16]), ..fetch(next()) };
    cases.push(Case { what: "for another target", job: job(&foreign, honest.to_vec()) });
    let expired = Assignment { expires: Timestamp::from_milliseconds(0), ..fetch(next()) };
    cases.push(Case { what: "expired", job: job(&expired, honest.to_vec()) });
    let old = Assignment { generation: Generation { epoch: 1, sequence: 1 }, ..fetch(next()) };
    cases.push(Case { what: "of an older generation", job: job(&old, honest.to_vec()) });
    let mut elsewhere = fetch(next());
    elsewhere.path.environment.1 = "staging".parse().expect("a slug");
    elsewhere.path.environment_name = "Staging".to_owned();
    cases.push(Case {
        what: "for an environment that the machine is not configured for",
        job: job(&elsewhere, honest.to_vec()),
    });
    let climbing = assignment(
        next(),
        run(PackageReference { version: "../../../evil".to_owned(), ..reference(text, size) }),
    );
    cases.push(Case { what: "a version that climbs", job: job(&climbing, honest.to_vec()) });
    let forged = fetch(next());
    let mut forged = job(&forged, honest.to_vec());
    forged.assignment.signature[10] ^= 1;
    cases.push(Case { what: "a wrong signature", job: forged });
    let slug = assignment(next(), run(reference(text, size)));
    let mut bytes = body(&slug);
    let at = bytes.windows(10).position(|part| part == b"abcdefghij").expect("the tenant's slug");
    bytes[at..at + 10].copy_from_slice(b"../../evil");
    cases.push(Case {
        what: "a slug that climbs",
        job: Job { id: slug.id, assignment: sign(bytes), stream: Vec::new() },
    });
    // Nobody can say which one is refused, so nobody is told.
    let id = assignment(next(), run(reference(text, size))).id;
    let nothing = Job { id, assignment: sign(vec![1, 2, 3]), stream: Vec::new() };
    cases.push(Case { what: "no assignment at all", job: nothing });
    cases
}

/// All cases, and what belongs to the honest package: its step, and its assignment once more with other work. At last a
/// package whose stream is cut off.
struct Cases {
    cases: Vec<Case>,
    honest: AssignmentId,
    changed: Job,
    step: Case,
    cut: Job,
}

fn cases() -> Cases {
    let counter = std::cell::Cell::new(0);
    let next = || {
        counter.set(counter.get() + 1);
        counter.get()
    };
    let fetch = |package| Work::Fetch(FetchWork { packages: vec![package] });
    let mut cases = Vec::new();
    for (what, text) in trees() {
        let assignment = assignment(next(), fetch(reference(&text, EVIL.len() as u64)));
        let stream = [begin(&text, 1, 4), content(Digest::of(EVIL), 4, FileEncoding::Plain, EVIL)].concat();
        cases.push(Case { what, job: job(&assignment, stream) });
    }
    // Each stream is of a package of its own, so that none waits for another's or is mended by it.
    for index in 0..streams(b"", b"").len() {
        let own = format!("evil content {index}");
        let text = format!("f {} {} evil\n", own.len(), Digest::of(&own)).into_bytes();
        let (what, stream) = streams(&text, own.as_bytes()).remove(index);
        let assignment = assignment(next(), fetch(reference(&text, own.len() as u64)));
        cases.push(Case { what, job: job(&assignment, stream) });
    }
    let text = line("harmless");
    let honest = [begin(&text, 1, 4), content(Digest::of(EVIL), 4, FileEncoding::Plain, EVIL)].concat();
    cases.extend(orders(next, &text, &honest));
    let good = assignment(next(), fetch(reference(&text, 4)));
    cases.push(Case { what: "an honest package", job: job(&good, honest) });
    let changed = Assignment { work: fetch(reference(b"d other\n", 0)), ..good.clone() };
    let changed = job(&changed, Vec::new());
    let cut = format!("f 4 {} cut\n", Digest::of("cut off")).into_bytes();
    let cut = job(&assignment(next(), fetch(reference(&cut, 4))), begin(&cut, 1, 4));
    let step = assignment(next(), run(reference(&text, 4)));
    let step = Case { what: "its step", job: job(&step, Vec::new()) };
    Cases { cases, honest: good.id, changed, step, cut }
}

fn in_words(kind: &ReportKind) -> String {
    match kind {
        ReportKind::Refused(why) => format!("refused: {why:?}"),
        ReportKind::FetchFailed(why) => why.clone(),
        ReportKind::Fetched { .. } => "fetched".to_owned(),
        ReportKind::Started => "started".to_owned(),
        ReportKind::Ended { outcome: Outcome::Failed { reason }, .. } => format!("failed: {reason}"),
        ReportKind::Ended { outcome, .. } => format!("{outcome:?}"),
    }
}

#[test]
fn a_hostile_coordinator_gets_one_sentence_and_puts_nothing_on_the_disk() {
    let Cases { cases, honest, changed, step, cut } = cases();
    let whats: Vec<_> = cases.iter().chain([&step]).map(|case| (case.what, case.job.id)).collect();
    let cut_id = cut.id;
    let jobs = cases.into_iter().map(|case| case.job).chain([changed, cut]).collect();
    let script = Script {
        jobs,
        after_fetch: Some((honest, step.job)),
        assignment_key: key().verifying_key().to_bytes(),
        configuration: "environments = [\"production\"]\n",
        ..Script::default()
    };
    let (script, agent, folder, _runtime) = agent_of(script);

    let heard = || {
        let reports = script.reports.lock().expect("nobody panics");
        let mut text = String::new();
        for (what, id) in &whats {
            let own = reports
                .iter()
                .filter(|report| report.assignment == *id && report.kind != ReportKind::Started);
            let mut said: Vec<_> = own.map(|report| in_words(&report.kind)).collect();
            // A report whose acknowledgement was lost comes again, and what is said of two assignments with one id in any order.
            said.sort();
            said.dedup();
            text += &format!("{what}: {}\n", if said.is_empty() { "-".to_owned() } else { said.join(" | ") });
        }
        text
    };
    let expected = include_str!("streams.txt");
    let pulled = |id| script.pulls.lock().expect("nobody panics").iter().filter(|pull| **pull == id).count();
    wait_until("everything that the agent has to say", || {
        let heard = heard();
        heard == expected || heard.lines().filter(|line| line.ends_with(": -")).count() <= 1
    });
    assert!(heard() == expected, "what the agent says has changed; it is now:\n{}", heard());
    wait_until("a second try of what was cut off", || pulled(cut_id) >= 2);
    let log = fs::read_to_string(agent.log()).expect("a log");
    for refused in [
        "the assignment's signature is not the coordinator's",
        "the assignment cannot be decoded",
        "does not even say which one it is",
    ] {
        assert!(log.contains(refused), "{refused}: {log}");
    }
    drop(agent);

    let outside: Vec<_> =
        below(folder.path()).into_iter().filter(|path| !path.starts_with("machine")).collect();
    assert_eq!(outside, [""; 0], "nothing outside of the machine's folder");
    let state = folder.path().join("machine/state");
    // A content that was verified before its stream went wrong may stay; it is what its name says.
    for blob in below(&state.join("cache/blobs")) {
        let bytes = fs::read(state.join("cache/blobs").join(&blob)).expect("a content");
        assert_eq!(Digest::of(bytes).to_hex(), blob);
    }
    let manifests: Vec<_> = below(&state.join("cache/manifests")).into_iter().collect();
    assert_eq!(manifests, [Digest::of(line("harmless")).to_hex()]);
    let installed = below(&folder.path().join("machine/install"));
    let files: Vec<_> =
        installed.iter().filter(|path| path.contains("evil") || path.contains("harmless")).collect();
    assert_eq!(files, ["default/production/abcdefghij/project/install/releases/1.0.0-1/harmless"]);
}

/// What runs as one user runs as everybody's: where the agent cannot switch users, the first tenant is the only one.
#[test]
fn an_agent_that_cannot_keep_tenants_apart_serves_the_first_one_only() {
    let text = line("harmless");
    let stream = [begin(&text, 1, 4), content(Digest::of(EVIL), 4, FileEncoding::Plain, EVIL)].concat();
    let fetch = |number, tenant| {
        let work = Work::Fetch(FetchWork { packages: vec![reference(&text, 4)] });
        let mut assignment = assignment(number, work);
        assignment.path.tenant =
            Some((TenantId::from_bytes([tenant; 16]), "tenant".parse().expect("a slug")));
        job(&assignment, stream.clone())
    };
    let script = Script {
        jobs: vec![fetch(1, 1), fetch(2, 2), fetch(3, 1)],
        assignment_key: key().verifying_key().to_bytes(),
        unprivileged: true,
        ..Script::default()
    };
    let (script, _agent, _folder, _runtime) = agent_of(script);
    let heard = || {
        let reports = script.reports.lock().expect("nobody panics");
        let said = |report: &Report| (report.assignment.as_bytes()[0], in_words(&report.kind));
        reports.iter().filter(|report| report.kind != ReportKind::Started).map(said).collect::<BTreeSet<_>>()
    };
    wait_until("each is answered", || heard().len() >= 3);
    let expected = [(1, "fetched"), (2, "refused: OtherTenant"), (3, "fetched")];
    assert_eq!(heard(), expected.map(|(id, said)| (id, said.to_owned())).into());
}
