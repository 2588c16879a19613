//! The variables of a step: opened, checked against the assignment, and looked up by templates and scripts.
//!
//! They live in memory only, as long as the task that needs them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, bail};
use tokio::time::sleep;
use windlass_agent_packages::recording::Tape;
use windlass_protocol::codec;
use windlass_protocol::message::{
    Answer, ClearVariable, ClearVariables, Origin, Request, RunWork, SealedVariables,
};
use windlass_protocol::names::fold;
use windlass_templates::{Kind, Lookup, Render, Shell, Template, Value, render_value};
use windlass_trust::Sealed;

use super::{RETRY, TaskContext};

/// The variables of a step.
pub(super) struct Variables {
    by_name: BTreeMap<String, ClearVariable>,
}

/// Fetches the variables that an assignment names, and waits for a session where there is none. `None`: withdrawn.
pub(super) async fn fetch(context: &TaskContext, work: &RunWork) -> anyhow::Result<Option<Variables>> {
    let Some(digest) = work.variables else {
        return Ok(Some(Variables { by_name: BTreeMap::new() }));
    };
    loop {
        let answer = tokio::select! {
            () = context.withdrawal() => return Ok(None),
            answer = ask(context) => answer,
        };
        match answer {
            Some(Answer::Variables(sealed)) => {
                let clear = open(context, sealed)?;
                if clear.digest(context.id())? != digest {
                    bail!("the variables that came are not those that the assignment names");
                }
                return Ok(Some(Variables::new(clear)));
            }
            // Denied: the right has gone, and the withdrawal is on its way; or the connection broke.
            _ => sleep(RETRY).await,
        }
    }
}

async fn ask(context: &TaskContext) -> Option<Answer> {
    let link = context.agent.linked().await;
    link.answer(&Request::Variables { assignment: context.id() }).await.ok()
}

fn open(context: &TaskContext, sealed: SealedVariables) -> anyhow::Result<ClearVariables> {
    let sealed = Sealed { encapsulated: sealed.encapsulated, ciphertext: sealed.sealed };
    let body = context.agent.identity.sealing.open(&sealed, &ClearVariables::info(context.id()))?;
    Tape::new("opened").write(&body);
    Ok(codec::decode(&body)?)
}

impl Variables {
    fn new(clear: ClearVariables) -> Self {
        let mut by_name = BTreeMap::new();
        for variable in clear.variables {
            // Scripts written for Octopus find what they look for.
            if let Some(rest) = variable.name.strip_prefix("Windlass.") {
                let name = format!("Octopus.{rest}");
                by_name.insert(fold(&name), ClearVariable { name, ..variable.clone() });
            }
            by_name.insert(fold(&variable.name), variable);
        }
        Self { by_name }
    }

    /// Renders a text. One with a shell is run: data in it stands before it and is referred to, and a text that would
    /// have data in it as code is refused. The coordinator looks for that before anything starts, but cannot know every
    /// output.
    pub(super) fn render(&self, text: &str, shell: Option<Shell>) -> anyhow::Result<String> {
        let rendered = Template::parse(text).render(self, Render { shell })?;
        for unknown in &rendered.unknown {
            tracing::warn!(name = unknown, "nothing defines this variable; it stays as it is written");
        }
        for expression in rendered.unapplied.iter().chain(&rendered.endless) {
            tracing::warn!(expression, "this cannot be substituted; it stays as it is written");
        }
        if let Some(bare) = rendered.bare.first() {
            bail!(
                "`{bare}` would put a tenant's value or an output variable into what is run, as code; let it pass last \
                 through `| Quoted`, or ask for it with get_windlassvariable"
            );
        }
        if let Some(misplaced) = rendered.misplaced.first() {
            bail!(
                "`{misplaced}` has a tenant's value or an output variable in it and stands where its filter does not \
                 protect; let it be an argument of its own, outside of quotes, comments and here-documents, or ask for \
                 it with get_windlassvariable"
            );
        }
        let definitions = shell.map(|shell| shell.definitions(&rendered.quoted)).unwrap_or_default();
        Ok(definitions + &rendered.text)
    }

    /// Every variable with its rendered value, for the functions that scripts call.
    pub(super) fn rendered(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut all = Vec::with_capacity(self.by_name.len());
        for variable in self.by_name.values() {
            let rendered = render_value(&variable.name, self, Render::default())?;
            let rendered = rendered.context("a variable is known by its own name")?;
            all.push((variable.name.clone(), rendered.text));
        }
        Ok(all)
    }

    /// What has to be masked wherever it shows: sensitive values, and whatever embeds one.
    pub(super) fn secrets(&self) -> anyhow::Result<Vec<String>> {
        let sensitive: Vec<_> = self
            .by_name
            .values()
            .filter(|variable| variable.sensitive)
            .map(|found| found.value.clone())
            .collect();
        let embedding = self.rendered()?.into_iter().filter_map(|(name, value)| {
            let own = self.by_name.get(&fold(&name)).is_some_and(|variable| variable.sensitive);
            own.then_some(value)
        });
        Ok(sensitive.iter().cloned().chain(embedding).collect())
    }
}

impl Lookup for Variables {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let variable = self.by_name.get(&fold(name))?;
        let kind = if variable.origin == Origin::Process { Kind::Code } else { Kind::Data };
        Some(Value { text: Cow::Borrowed(&variable.value), kind, sensitive: variable.sensitive })
    }

    fn get_for_data(&self, name: &str) -> Option<Cow<'_, str>> {
        let variable = self.by_name.get(&fold(name))?;
        let open = variable.origin == Origin::Tenant && !variable.sensitive;
        open.then_some(Cow::Borrowed(variable.value.as_str()))
    }

    fn names_with_prefix(&self, prefix: &str) -> Vec<String> {
        let prefix = fold(prefix);
        let names = self.by_name.iter().filter(|(folded, _)| folded.starts_with(&prefix));
        names.map(|(_, variable)| variable.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let variable = |(name, value, sensitive, origin): (&str, &str, bool, Origin)| ClearVariable {
            name: name.to_owned(),
            value: value.to_owned(),
            sensitive,
            origin,
        };
        let all = "#{Town}#{Key}#{Made}#{Port}#{Windlass.Space.Name}";
        let variables = [
            ("Alias", all, false, Origin::Tenant),
            ("Greeting", all, false, Origin::Process),
            ("Key", "k", true, Origin::Tenant),
            ("Made", all, false, Origin::Other),
            ("Port", "80", false, Origin::Process),
            ("Town", "Bern", false, Origin::Tenant),
            ("Windlass.Space.Name", "#{Town}", false, Origin::Other),
        ];
        Variables::new(ClearVariables {
            salt: [0; 32],
            variables: variables.into_iter().map(variable).collect(),
        })
    }

    #[test]
    fn data_resolves_the_tenants_own_open_values_and_no_outputs() {
        let data = "Bern#{Key}#{Made}#{Port}#{Windlass.Space.Name}";
        for (text, expected) in [
            ("#{Alias}", data.to_owned()),
            ("#{Made}", data.to_owned()),
            ("#{Octopus.Space.Name}", "Bern".to_owned()),
            ("#{Greeting}", format!("Bernk{data}80Bern")),
        ] {
            assert_eq!(variables().render(text, None).expect("it renders"), expected, "{text}");
        }
    }

    #[test]
    fn data_stands_before_what_is_run_and_not_in_it() {
        let run = |text| variables().render(text, Some(Shell::Sh)).map_err(|why| why.to_string());
        let text = run("echo #{Town | Quoted}").expect("it renders");
        assert_eq!(text, "_windlass_quoted_0='Bern'\necho \"${_windlass_quoted_0?}\"");
        for (text, start) in
            [("echo #{Town}", "`#{Town}` would put"), ("echo \"#{Town | Quoted}\"", "`#{Town | Quoted}` has")]
        {
            assert!(run(text).expect_err(text).starts_with(start), "{text}");
        }
    }
}
