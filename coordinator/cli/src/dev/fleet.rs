//! The five agents of `dev`: what each is granted, and what it is expected to hold in the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use windlass_sentences::{ExitKind, Fault};

use super::console::say;
use super::programs::{Installation, Process, beside, wait_until};
use crate::output::note;

/// A target of the sample.
pub(super) struct Member {
    pub(super) name: &'static str,
    environment: &'static str,
    roles: &'static [&'static str],
    tenants: Vec<String>,
    tags: &'static [&'static str],
    participation: &'static str,
    /// Whose things it holds when everything is right.
    pub(super) expected: &'static [&'static str],
    pub(super) folder: PathBuf,
    process: Option<Process>,
}

/// The agents.
pub(super) struct Fleet {
    pub(super) members: Vec<Member>,
    folder: PathBuf,
}

impl Fleet {
    /// Plans the fleet below `folder`; `extra` are grants that should not be, as TARGET=TENANT.
    pub(super) fn new(folder: &Path, extra: &[String]) -> anyhow::Result<Self> {
        let member = |name, environment, tags, participation, expected| Member {
            name,
            environment,
            roles: &["synergy-web", "mojo"],
            tenants: Vec::new(),
            tags,
            participation,
            expected,
            folder: folder.join(name),
            process: None,
        };
        let mut members = vec![
            member("testing", "Testing", &[], "untenanted", &[]),
            member("staging", "Staging", &["Hosting/Shared 1"], "both", &["Customer-1", "Customer-2"]),
            member(
                "shared-1",
                "Production",
                &["Hosting/Shared 1"],
                "tenanted",
                &["Customer-1", "Customer-2"],
            ),
            member("dedicated-1", "Production", &[], "tenanted", &["Customer-1"]),
            member("dedicated-3", "Production", &[], "tenanted", &["Customer-3"]),
        ];
        members[3].tenants.push("Customer-1".to_owned());
        members[4].tenants.push("Customer-3".to_owned());
        for grant in extra {
            let form = || Fault::usage(format!("--grant: `{grant}` is not written TARGET=TENANT"));
            let (target, tenant) = grant.split_once('=').ok_or_else(form)?;
            let names: Vec<_> = members.iter().map(|member| member.name).collect();
            let Some(member) = members.iter_mut().find(|member| member.name == target) else {
                let text =
                    format!("--grant: there is no target `{target}`; the targets are {}", names.join(", "));
                return Err(Fault::new(ExitKind::NotFound, text).into());
            };
            member.tenants.push(tenant.to_owned());
        }
        Ok(Self { members, folder: folder.to_owned() })
    }

    /// Where everything of `dev` lies.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Enrols each agent with a token of its own and starts it.
    pub(super) fn start(&mut self, installation: &Installation) -> anyhow::Result<()> {
        let program = beside("windlass-agent")?;
        let root = nix::unistd::Uid::effective().is_root();
        for member in &mut self.members {
            let configuration = member.write_configuration(installation, root)?;
            let token = member.token(installation)?;
            let enrolled = Command::new(&program)
                .arg("enrol")
                .arg("--config")
                .arg(&configuration)
                .args(["--name", member.name])
                .env("WINDLASS_ENROLMENT_TOKEN", token)
                .output()?;
            if !enrolled.status.success() {
                bail!("windlass-agent enrol: {}", String::from_utf8_lossy(&enrolled.stderr).trim());
            }
            let mut command = Command::new(&program);
            command.arg("run").arg("--config").arg(&configuration);
            member.process = Some(Process::start(&mut command, &member.folder.join("agent.log"))?);
        }
        if !root {
            say(
                "(not root: `staging` and `shared-1` run with isolation = \"none\", because only root can switch users)",
            );
        }
        wait_until("the connection of all agents", || {
            let targets = installation.json(&["target", "list"]);
            let online = |value: &serde_json::Value| value["online"] == true;
            targets.is_ok_and(|list| {
                list["items"].as_array().is_some_and(|items| {
                    items.iter().filter(|item| online(item)).count() == self.members.len()
                })
            })
        })
    }

    /// Stops the agents.
    pub(super) fn stop(&mut self) {
        for member in &mut self.members {
            member.process = None;
        }
    }

    /// Removes the accounts that the agents made for the sample's tenants, which live below the sample's folders.
    pub(super) fn remove_accounts(&self) {
        let Ok(accounts) = fs::read_to_string("/etc/passwd") else { return };
        for line in accounts.lines() {
            let fields: Vec<_> = line.split(':').collect();
            let (Some(name), Some(home)) = (fields.first(), fields.get(5)) else { continue };
            let own = self.members.iter().any(|member| Path::new(home).starts_with(&member.folder));
            if own && name.starts_with("wl-") {
                let removed = Command::new("userdel").arg(name).output();
                if !removed.is_ok_and(|output| output.status.success()) {
                    note(&format!("the account {name} could not be removed"));
                }
            }
        }
    }
}

impl Member {
    fn write_configuration(&self, installation: &Installation, root: bool) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let shared = self.expected.len() > 1 || self.participation == "both" || self.tenants.len() > 1;
        let isolation = if !root && shared { "isolation = \"none\"\n" } else { "" };
        let folder = self.folder.display();
        let text = format!(
            "coordinator = \"{}\"\nroles = {:?}\nenvironments = [\"{}\"]\ninstall_root = \"{folder}/install\"\n\
             state_root = \"{folder}/state\"\n{isolation}",
            installation.quic(),
            self.roles,
            self.environment
        );
        let path = self.folder.join("agent.toml");
        fs::write(&path, text)?;
        Ok(path)
    }

    fn token(&self, installation: &Installation) -> anyhow::Result<String> {
        let mut arguments = vec!["enrolment", "create", "--environment", self.environment];
        for role in self.roles {
            arguments.extend(["--role", role]);
        }
        for tenant in &self.tenants {
            arguments.extend(["--tenant", tenant]);
        }
        for tag in self.tags {
            arguments.extend(["--tenant-tag", tag]);
        }
        arguments.extend(["--participation", self.participation, "--name", self.name]);
        let answer = installation.shown_json(&arguments)?;
        answer["token"].as_str().map(str::to_owned).context("an enrolment answers with its token")
    }

    /// Whose things lie in the target's install folder: the slugs of its tenants' folders.
    pub(super) fn served(&self) -> BTreeSet<String> {
        let mut served = BTreeSet::new();
        let Ok(spaces) = fs::read_dir(self.folder.join("install")) else { return served };
        for space in spaces.flatten() {
            let Ok(environments) = fs::read_dir(space.path()) else { continue };
            for environment in environments.flatten() {
                let Ok(tenants) = fs::read_dir(environment.path()) else { continue };
                let names = tenants.flatten().filter(|entry| entry.path().is_dir());
                served.extend(names.map(|entry| entry.file_name().to_string_lossy().into_owned()));
            }
        }
        served
    }
}
