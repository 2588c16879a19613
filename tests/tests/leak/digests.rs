//! A six-digit secret, and whoever may read the journal and the auditor's API (THREATS F3): no digest there tells which
//! of a million values it is.

use std::collections::BTreeSet;
use std::fs;

use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Digest;
use windlass_protocol::codec;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};
use windlass_protocol::message::ClearVariables;
use windlass_tests::agents;
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::{self, field};

use super::{machine, recording};

const PIN: &str = "493817";

const DOCUMENTS: &str = "
kind: environment
name: Production
---
kind: project
name: Doors
tenancy: tenanted
templates: [{name: Pin, control: sensitive}]
steps:
  - {name: Open, roles: [web], script: {body: ': $(get_windlassvariable Pin)'}}
---
kind: tenant
name: Customer
projects: {Doors: [Production]}
values: {Doors: {Pin: {from-env: PIN}}}
";

/// What an auditor asks.
const QUESTIONS: [&[&str]; 17] = [
    &["audit", "list", "--limit", "1000"],
    &["audit", "pulled", "--target", "web-1"],
    &["audit", "what-can", "web-1"],
    &["audit", "who-can", "--tenant", "Customer"],
    &["audit", "who-can", "--tenant", "Customer", "--secret", "Pin"],
    &["audit", "verify"],
    &["export"],
    &["tenant", "list"],
    &["tenant", "view", "Customer"],
    &["project", "view", "Doors"],
    &["target", "list"],
    &["target", "view", "web-1"],
    &["release", "list"],
    &["release", "view", "--project", "Doors", "--version", "1.0.0"],
    &["deployment", "list"],
    &["token", "list"],
    &[
        "release",
        "deploy",
        "--project",
        "Doors",
        "--version",
        "1.0.0",
        "--environment",
        "Production",
        "--tenant",
        "Customer",
        "--plan",
    ],
];

/// Everything that whoever reads the journal or asks the API comes to see.
fn seen_by_auditors(installation: &Installation, deployment: &str) -> String {
    let token = installation.windlass(&["token", "create", "--name", "audit", "--role", "auditor"]);
    let own: [&[&str]; 2] = [&["deployment", "view", deployment], &["deployment", "logs", deployment]];
    let mut seen = String::new();
    for segment in journal::segments(&installation.data()) {
        seen += &fs::read_to_string(segment).expect("text");
    }
    for question in QUESTIONS.iter().copied().chain(own) {
        let mut command = installation.windlass_command(&[question, &["-o", "json"]].concat());
        let answer = command.env("WINDLASS_TOKEN", token.trim()).output().expect("it starts");
        assert!(answer.status.success(), "{question:?}: {}", String::from_utf8_lossy(&answer.stderr));
        seen += &String::from_utf8_lossy(&answer.stdout);
    }
    seen
}

/// What can be tried as a key or a salt: each digest, id, and sealed value that was seen, as bytes and as text.
struct Public {
    digests: BTreeSet<Digest>,
    inputs: BTreeSet<Vec<u8>>,
    assignments: Vec<AssignmentId>,
}

impl Public {
    fn read(seen: &str) -> Self {
        let words: BTreeSet<&str> =
            seen.split(|sign: char| !(sign.is_ascii_alphanumeric() || "-+/=".contains(sign))).collect();
        let mut public = Self {
            digests: BTreeSet::new(),
            inputs: BTreeSet::from([vec![], vec![0; 32]]),
            assignments: vec![],
        };
        let (mut deployments, mut targets, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for word in words {
            public.inputs.insert(word.as_bytes().to_vec());
            if let Ok(digest) = word.parse::<Digest>() {
                public.digests.insert(digest);
                public.inputs.insert(digest.as_bytes().to_vec());
            }
            if let Some((_, rest)) = word.rsplit_once('-')
                && let Ok(id) = format!("assignment-{rest}").parse::<AssignmentId>()
            {
                public.inputs.insert(id.as_bytes().to_vec());
            }
            if let Ok(bytes) = data_encoding::BASE64.decode(word.as_bytes()) {
                if let Ok(digest) = <[u8; 32]>::try_from(bytes.as_slice()) {
                    public.digests.insert(Digest::from_bytes(digest));
                }
                public.inputs.insert(bytes);
            }
            deployments.extend(word.parse::<DeploymentId>());
            targets.extend(word.parse::<TargetId>());
            steps.extend(word.parse::<StepId>());
        }
        for (deployment, target) in
            deployments.iter().flat_map(|one| targets.iter().map(move |two| (one, two)))
        {
            let of_step = |step: &StepId| assignment_id(*deployment, *target, WorkKind::Run(*step), 1);
            public.assignments.extend(steps.iter().map(of_step));
        }
        public
    }

    /// Which digests that were seen come out where the secret is `guess`. The attacker knows everything else about the
    /// step's variables. Trying a million guesses finds the secret if, and only if, the right one comes out here and
    /// others do not.
    fn hits(&self, guess: &str, others: &ClearVariables) -> BTreeSet<Digest> {
        let mut variables = others.clone();
        variables
            .variables
            .iter_mut()
            .filter(|one| one.sensitive)
            .for_each(|pin| pin.value = guess.to_owned());
        let mut made = BTreeSet::new();
        let pin = guess.as_bytes();
        for input in &self.inputs {
            made.insert(Digest::of([input.as_slice(), pin].concat()));
            made.insert(Digest::of([pin, input.as_slice()].concat()));
            made.insert(hmac(input, pin));
            // Whatever is longer or shorter would be hashed to a salt, or cut.
            let salts = [Digest::of(input).as_bytes().to_vec(), input.clone()];
            for salt in salts.iter().filter_map(|salt| salt.first_chunk::<32>()) {
                variables.salt = *salt;
                for assignment in &self.assignments {
                    made.insert(variables.digest(*assignment).expect("it was sent"));
                }
            }
        }
        let body = codec::body(&variables).expect("it was sent");
        assert_eq!(body[..32], variables.salt, "the salt comes first");
        for assignment in &self.assignments {
            let whole = [ClearVariables::info(*assignment), body[32..].to_vec()].concat();
            made.insert(Digest::of(whole));
        }
        made.intersection(&self.digests).copied().collect()
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Digest {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(Digest::of(key).as_bytes()),
    }
    let with = |pad: u8| block.map(|byte| byte ^ pad).to_vec();
    let inner = Digest::of([with(0x36), text.to_vec()].concat());
    Digest::of([with(0x5c), inner.as_bytes().to_vec()].concat())
}

/// What the agent opened.
fn opened(installation: &Installation) -> ClearVariables {
    let entries = fs::read_dir(recording(installation, "web-1")).expect("a recording").flatten();
    let mut tapes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("opened"));
    let tape = tapes.next().expect("the step had variables").path();
    codec::decode(&fs::read(tape).expect("a file")).expect("they are variables")
}

#[test]
fn no_digest_tells_a_short_secret_to_who_tries_all_values_under_all_that_is_public() {
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let path = folder.path().join("all.yaml");
    fs::write(&path, DOCUMENTS).expect("a file");
    let mut apply = installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]);
    let applied = apply.env("PIN", PIN).output().expect("windlass starts");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    installation.windlass(&["release", "create", "--project", "Doors", "--version", "1.0.0"]);
    let _agent = machine(&installation, "web-1", &["Customer"]);
    agents::wait_for_presence(&installation, "web-1", true);
    let what =
        ["release", "deploy", "--project", "Doors", "--version", "1.0.0", "--environment", "Production"];
    let answer = installation.json(&[&what[..], &["--tenant", "Customer"]].concat());
    let id = field(&answer["deployments"][0], "id").to_owned();
    wait_until("the end of the deployment", || {
        field(&installation.json(&["deployment", "view", &id]), "state") == "succeeded"
    });

    let public = Public::read(&seen_by_auditors(&installation, &id));
    let events = journal::events(&installation.data());
    let read = events.iter().find(|event| event["event"] == "variables-read").expect("they were read");
    let digest: Digest = field(read, "digest").parse().expect("a digest");
    assert!(public.digests.contains(&digest) && !public.assignments.is_empty(), "the attacker sees it");
    let variables = opened(&installation);
    assert!(variables.variables.iter().any(|one| one.value == PIN && one.sensitive));
    assert_eq!(public.hits(PIN, &variables), BTreeSet::new(), "trying all values finds the secret");

    // It is the salt alone that the attacker lacks.
    let mut with_salt = public;
    with_salt.inputs.insert(variables.salt.to_vec());
    assert_eq!(with_salt.hits(PIN, &variables), BTreeSet::from([digest]));
    assert_eq!(with_salt.hits("493818", &variables), BTreeSet::new());
}
