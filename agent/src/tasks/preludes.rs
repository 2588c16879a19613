//! What stands before every script: the functions that it asks for variables with (SURFACE, "What scripts see").
//!
//! Values are written as literals that the shell cannot misread. The whole goes to the shell through memory.

use std::fmt::Write;

use windlass_templates::Shell;

use super::variables::Variables;

/// The whole text that a shell is given: functions, then the script. What the functions print to set an output variable
/// has the token in it, which nothing knows that the script merely prints.
pub(super) fn script(
    shell: Shell,
    variables: &Variables,
    body: &str,
    token: &str,
) -> anyhow::Result<Vec<u8>> {
    let rendered = variables.rendered()?;
    let mut text = match shell {
        Shell::Bash | Shell::Sh => posix(shell, &rendered, token),
        Shell::Python => python(&rendered, token),
        Shell::Pwsh => pwsh(&rendered, token),
    };
    text.push_str(body);
    if shell == Shell::Pwsh {
        text.push_str(PWSH_END);
    }
    Ok(text.into_bytes())
}

/// With `-File` only `exit` and an error that ends the script give an exit code, so what a program that the script ran
/// last ended with is said here. (That errors of cmdlets end the script is said before it. Octopus does both.)
const PWSH_END: &str = "\nif (Test-Path variable:global:LASTEXITCODE) { exit $LASTEXITCODE }\n";

fn posix(shell: Shell, variables: &[(String, String)], token: &str) -> String {
    let mut cases = String::new();
    for (name, value) in variables {
        let name = shell.quoted(&name.to_lowercase());
        let _ = writeln!(cases, "    {name}) printf '%s' {} ;;", shell.quoted(value));
    }
    format!(
        r###"get_windlassvariable() {{
  case "$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')" in
{cases}    *) printf 'there is no variable %s\n' "$1" >&2 ;;
  esac
}}
set_windlassvariable() {{
  _windlass_sensitive=False
  if [ "${{3-}}" = --sensitive ] || [ "${{3-}}" = -sensitive ]; then _windlass_sensitive=True; fi
  printf "##windlass[setVariable token='{token}' name='%s' value='%s' sensitive='%s']\n" \
    "$(printf '%s' "$1" | base64 | tr -d '\n')" "$(printf '%s' "$2" | base64 | tr -d '\n')" \
    "$(printf '%s' "$_windlass_sensitive" | base64 | tr -d '\n')"
}}
get_octopusvariable() {{ get_windlassvariable "$@"; }}
set_octopusvariable() {{ set_windlassvariable "$@"; }}
"###
    )
}

fn python(variables: &[(String, String)], token: &str) -> String {
    let mut entries = String::new();
    for (name, value) in variables {
        let (name, value) = (Shell::Python.quoted(&name.to_lowercase()), Shell::Python.quoted(value));
        let _ = writeln!(entries, "    {name}: {value},");
    }
    format!(
        r###"_windlass_variables = {{
{entries}}}
def get_windlassvariable(name):
    return _windlass_variables.get(name.lower(), "")
def set_windlassvariable(name, value, sensitive=False):
    import base64
    encode = lambda text: base64.b64encode(str(text).encode()).decode()
    print("##windlass[setVariable token='{token}' name='%s' value='%s' sensitive='%s']"
          % (encode(name), encode(value), encode(bool(sensitive))), flush=True)
get_octopusvariable = get_windlassvariable
set_octopusvariable = set_windlassvariable
"###
    )
}

fn pwsh(variables: &[(String, String)], token: &str) -> String {
    let mut entries = String::new();
    for (name, value) in variables {
        let (name, value) = (Shell::Pwsh.quoted(name), Shell::Pwsh.quoted(value));
        let _ = writeln!(entries, "$WindlassParameters[{name}] = {value}");
    }
    format!(
        r###"$ErrorActionPreference = 'Stop'
$WindlassParameters = New-Object 'System.Collections.Generic.Dictionary[String,String]' ([System.StringComparer]::OrdinalIgnoreCase)
{entries}$OctopusParameters = $WindlassParameters
function Get-WindlassVariable([string]$name) {{ $WindlassParameters[$name] }}
function Set-WindlassVariable([string]$name, [string]$value, [switch]$sensitive) {{
  $encode = {{ param($text) [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text)) }}
  Write-Output "##windlass[setVariable token='{token}' name='$(& $encode $name)' value='$(& $encode $value)' sensitive='$(& $encode ([string][bool]$sensitive))']"
}}
Set-Alias get_windlassvariable Get-WindlassVariable
Set-Alias get_octopusvariable Get-WindlassVariable
Set-Alias Get-OctopusVariable Get-WindlassVariable
Set-Alias set_windlassvariable Set-WindlassVariable
Set-Alias Set-OctopusVariable Set-WindlassVariable
"###
    )
}
