//! Documents as people write them, right and wrong.

use std::path::PathBuf;

use windlass_api::documents::{Document, ValueText};

use super::{Surroundings, read, write};

fn surroundings(folder: PathBuf) -> Surroundings<'static> {
    Surroundings { variable: &|name| (name == "KEY").then(|| "of the environment".to_owned()), folder }
}

fn documents(text: &str) -> Result<Vec<Document>, String> {
    let read = read("f.yaml", text, &surroundings(PathBuf::from("."))).map_err(|why| why.to_string())?;
    Ok(read.into_iter().map(|placed| placed.document).collect())
}

const SAMPLE: &str = r##"
kind: environment
name: Production
---
kind: tag-set
name: Hosting
tags: [{name: Shared 1, colour: "#2f6fed"}, {name: Dedicated, color: "#8a3ffc"}]
---
kind: lifecycle
name: Default
phases:
  - {name: Test, environments: [Testing]}
  - {name: Live, environments: [Production], optional: true}
---
kind: project
name: Synergy
tenancy: tenanted-or-untenanted
library-sets: [Standard tenant details]
templates:
  - {name: SynergyDatabase, default: synergy-test}
  - {name: SynergyApiKey, control: sensitive, default: {from-env: KEY}}
  - {name: Workers, default: 4}
  - {name: Debug, control: checkbox, default: false}
variables:
  LogLevel:
    - {value: Info}
    - {value: Warn, environments: [Production], tenants: {tags: [Customer type/VIP]}}
steps:
  - name: Website
    roles: [synergy-web]
    package: {id: synergy-web, substitute: ["config/*.json"]}
  - name: Exploration module
    roles: [synergy-web]
    script:
      shell: bash
      body: |
        echo "one"
        --- two
    needs: [SynergyDatabase]
---
{"kind": "tenant", "name": "Customer-2", "tags": ["Hosting/Shared 1"],
 "projects": {"Synergy": ["Staging", "Production"]},
 "values": {"Synergy": {"SynergyDatabase": "db-2", "environments": {"Production": {"SynergyApiKey": {"sensitive": "unchanged"}}}}}}
"##;

#[test]
fn the_sample_is_read_as_it_is_meant() {
    let documents = documents(SAMPLE).unwrap();
    let kinds: Vec<_> = documents.iter().map(|document| (document.kind(), document.name())).collect();
    let expected = [
        ("environment", "Production"),
        ("tag-set", "Hosting"),
        ("lifecycle", "Default"),
        ("project", "Synergy"),
        ("tenant", "Customer-2"),
    ];
    assert_eq!(kinds, expected);
    let Document::Project(project) = &documents[3] else { panic!("a project") };
    let default = |index: usize| project.templates[index].default.clone();
    assert!(matches!(default(1), Some(ValueText::Secret(secret)) if secret.reveal() == "of the environment"));
    assert!(matches!(default(2), Some(ValueText::Text(text)) if text == "4"));
    assert!(matches!(default(3), Some(ValueText::Text(text)) if text == "false"));
    assert_eq!(project.steps[1].script.as_ref().unwrap().body, "echo \"one\"\n--- two\n");
}

#[test]
fn what_is_written_is_read_the_same() {
    let mut documents = documents(SAMPLE).unwrap();
    // What comes from an export has no secrets.
    documents.iter_mut().flat_map(Document::values_mut).for_each(|value| {
        if let ValueText::Secret(_) = value {
            *value = ValueText::Unchanged;
        }
    });
    if let Document::Project(project) = &mut documents[3] {
        project.templates[0].default = Some(ValueText::Text("yes\n# no: [comment]\n---\n".to_owned()));
        project.templates[0].label = "0x10".to_owned();
        project.templates[0].help = " ~ ".to_owned();
    }
    let text = write(&documents).unwrap();
    let again = self::documents(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let json = |documents: &[Document]| serde_json::to_value(documents).unwrap();
    assert_eq!(json(&again), json(&documents), "{text}");
}

#[test]
fn every_fault_names_its_file_and_line_and_what_would_be_right() {
    let cases = [
        ("name: X\n", "f.yaml:1: a document begins with `kind:`, one of environment, tag-set"),
        ("# c\n\nkind: tennant\nname: X\n", "f.yaml:3: unknown kind `tennant`; did you mean `tenant`?"),
        ("kind: environment\nnmae: X\n", "f.yaml:2: unknown key `nmae`; did you mean `name`?"),
        ("kind: environment\nname: X\nzzz: 1\n", "f.yaml:3: unknown key `zzz`; known here: name, slug"),
        (
            "kind: environment\nname: A\n---\nkind: project\nname: P\nsteps:\n  - name: S\n    roles: [a]\n    pakage: {id: x}\n",
            "f.yaml:9: unknown key `pakage`; did you mean `package`?",
        ),
        (
            "kind: project\nname: P\nvariables:\n  A:\n    - {value: x, enviroments: [B]}\n",
            "f.yaml:5: unknown key `enviroments`; did you mean `environments`?",
        ),
        ("kind: project\nname: P\nchannels: []\n", "f.yaml:3: unknown key `channels`"),
        (
            "kind: project\nname: P\ntenancy: tenated\n",
            "f.yaml:3: unknown word `tenated`; did you mean `tenanted`?",
        ),
        ("kind: environment\nname: X\nname: Y\n", "f.yaml:3: the key `name` stands here twice"),
        ("kind: environment\n", "f.yaml:1: the key `name` is missing"),
        ("kind: environment\nname: X\norder: first\n", "f.yaml:3: "),
        ("kind: environment\nname: [\n", "f.yaml:"),
        (
            "kind: project\nname: P\ntemplates:\n  - name: V\n    default: 1.10\n",
            "f.yaml:5: put quotes around 1.1: a number with a point is not kept as it is written",
        ),
        (
            "kind: project\nname: P\ntemplates:\n  - name: V\n    default: {from-envy: A}\n",
            "f.yaml:5: unknown key `from-envy`; did you mean `from-env`?",
        ),
        (
            "kind: project\nname: P\ntemplates:\n  - name: V\n    default: {sensitive: abc}\n",
            "f.yaml:5: sensitive values never stand in a file",
        ),
        (
            "kind: project\nname: P\ntemplates:\n  - name: V\n    default: {secret: abc}\n",
            "f.yaml:1: project `P`: sensitive values never stand in a file",
        ),
        (
            "\nkind: project\nname: P\ntemplates:\n  - name: V\n    default: {from-env: NONE}\n",
            "f.yaml:2: project `P`: the environment variable `NONE` is not set",
        ),
        (
            "kind: tenant\nname: T\nvalues:\n  Synergy:\n    A: {from-file: not/there}\n",
            "f.yaml:1: tenant `T`: cannot read ./not/there: ",
        ),
        ("kind: tenant\nname: T\nvalues:\n  S:\n    A: [1]\n", "f.yaml:5: "),
        ("just text\n", "f.yaml:1: "),
    ];
    for (text, expected) in cases {
        let found = documents(text).err().unwrap_or_else(|| panic!("it was accepted:\n{text}"));
        assert!(found.starts_with(expected), "{text}\nsaid {found}\nnot {expected}");
        assert!(!found.contains('\n') && !found.contains("abc"), "{found}");
    }
}

#[test]
fn a_secret_of_a_file_lies_beside_the_document_and_loses_one_line_break() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("key"), "line one\nline two\n").unwrap();
    let text = "kind: tenant\nname: T\nvalues:\n  Synergy:\n    A: {from-file: key}\n";
    let mut read = read("f.yaml", text, &surroundings(place.path().to_owned())).unwrap();
    let values = read[0].document.values_mut();
    assert!(matches!(&*values[0], ValueText::Secret(secret) if secret.reveal() == "line one\nline two"));
}

fn tenants(text: &str) -> Result<Vec<String>, String> {
    let read = super::table::read("list.csv", text, &surroundings(PathBuf::from(".")))
        .map_err(|why| why.to_string())?;
    let written = |placed: windlass_api::requests::PlacedDocument| {
        let text = serde_json::to_value(&placed.document).expect("a document is JSON").to_string();
        format!("{} {text}", placed.place)
    };
    Ok(read.into_iter().map(written).collect())
}

#[test]
fn a_list_of_tenants_is_read_as_programs_export_it() {
    let expected = [
        r#"list.csv:2 {"kind":"tenant","name":"Beta","projects":{"Mojo":["Production"],"Synergy":["Staging","Production"]},"tags":["Ring/Early","Hosting/Shared 1"],"values":{"Synergy":{"Database":"db, with a comma","environments":{"Production":{"Key":{"secret":"of the environment"}}}}}}"#,
        r#"list.csv:3 {"kind":"tenant","name":"Gamma","slug":"g"}"#,
    ];
    let comma = "name,slug,tags,connect,Synergy: Database,Synergy: Key @ Production (from-env)\n\
        Beta,,Ring/Early; Hosting/Shared 1,\"Synergy: Staging, Production; Mojo: Production\",\"db, with a comma\",KEY\n\
        Gamma,g,,,,\n";
    assert_eq!(tenants(comma).as_deref(), Ok(&expected.map(str::to_owned)[..]));
    // Spreadsheets begin with a mark, end lines in two characters, and separate with what numbers do not use.
    let semicolons = "\u{feff}Name;Slug;Tags;Connect;Synergy: Database;Synergy: Key @ Production (from-env)\r\n\
        Beta;;\"Ring/Early; Hosting/Shared 1\";\"Synergy: Staging, Production; Mojo: Production\";\"db, with a comma\";KEY\r\n\
        Gamma;g;;;;\r\n";
    assert_eq!(tenants(semicolons).as_deref(), Ok(&expected.map(str::to_owned)[..]));
    // What a cell says is a value, whoever wrote it; and what a spreadsheet adds is nothing.
    let plain = "sep=;\nname;S: Key;\nBeta;{from-file: /etc/passwd};\n;;\n";
    let said =
        r#"list.csv:3 {"kind":"tenant","name":"Beta","values":{"S":{"Key":"{from-file: /etc/passwd}"}}}"#;
    assert_eq!(tenants(plain), Ok(vec![said.to_owned()]));
    let tabulators = comma.replace("Beta,,", "Beta\t\t").lines().next().expect("a head").replace(',', "\t");
    assert_eq!(tenants(&tabulators), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_in_a_list_is_said_with_its_line() {
    for (text, says) in [
        ("", "list.csv:1: no column is called `name`"),
        ("customer,tags\nBeta,\n", "list.csv:1: the column `customer` is none of"),
        ("name,tags,Name\n", "list.csv:1: the column `Name` is there twice"),
        ("name,: X\n", "the column `: X` is none of"),
        ("name,tags\nBeta,A/B,C/D\n", "list.csv:2: this row has 3 cells, and the first one 2"),
        ("name,tags\nBeta,\n,A/B\n", "list.csv:3: this row names no tenant"),
        ("name,connect\nBeta,Synergy\n", "list.csv:2: `Synergy` is no connection"),
        ("name,connect\nBeta,Synergy:\n", "list.csv:2: `Synergy:` names no environment"),
        ("name,S: Key,s:key\n", "list.csv:1: the column `s:key` is there twice"),
        ("name,\nBeta,x\n", "list.csv:2: `x` stands in a column without a head"),
        (
            "name,S: Key (from-env)\nBeta,NONE\n",
            "list.csv:2: tenant `Beta`: the environment variable `NONE` is not set",
        ),
    ] {
        let why = tenants(text).expect_err(text);
        assert!(why.contains(says), "{text:?}: {why}");
    }
}
