use super::super::Places;
use crate::filters::Escape;
use crate::shell::Shell;

/// Whether a literal and letters are admitted at the end of `text`.
fn admitted(shell: Shell, text: &str) -> (bool, bool) {
    let mut places = Places::new(shell);
    places.pass(text);
    (places.admits(Escape::Literal), places.admits(Escape::Letters))
}

#[test]
fn a_literal_may_be_a_word_and_letters_may_stand_in_quotes_too() {
    for text in [
        "echo ",
        "echo a/",
        "echo --name=",
        "x=",
        "x+=",
        "export X=",
        "local -r x=",
        "a=1 b=",
        "if [ ",
        "[ \"$x\" = ",
        "if grep -q ",
        "cat <<EOF\n it's \"\nEOF\necho ",
        "cat <<-'E F' >out\n$( ` ${\n\tE F\necho ",
        "cat <<A <<B\nA\n'\nB\necho ",
        "cat <<\\EOF\n\\\nEOF\necho ",
        "cat <<EOF\nx\\\\\nEOF\necho ",
        "x=\"$(echo ",
        "x=$(case $y in a) echo ;; (b|c) echo 'x)' ;; esac; echo ",
        "case ",
        "case $x in ",
        "case $x in a) echo ;; ",
        "case $x in a) echo ",
        "case $x in a) echo ;; esac\necho ",
        "for x in ",
        "for x in a; do echo ",
        "f() { echo ",
        "f() (\necho ",
        "a=(x ",
        "a=()\necho ",
        "echo $((1 + (2))) ",
        "echo ${x:-\"a b\"} ${#x} \"${x##*/}\" ",
        "((x)); echo ",
        "[[ $x == a* && ( -n $y ) ]] && echo ",
        "echo $# ",
        "echo a#b ",
        "# it's\necho ",
        "echo # it's\necho ",
        "echo 2>&1 ",
        "echo &>log ",
        "echo 2>/dev/null ",
        "echo > ",
        "cat <<< ",
        "diff <(sort ",
        "diff <(sort x) ",
        "echo \\\n ",
        "echo \\\" ",
        "echo $'it\\'s' ",
        "echo \"it's $'\" ",
        "echo `echo \\`` ",
        "test -n ",
        "docker run -v ",
        "printf '%s' ",
        "while read -r x; do echo \"$x\" ",
        "sudo -u me env A=1 ",
        "time -p echo ",
        "echo 'a\nb' ",
    ] {
        assert_eq!(admitted(Shell::Bash, text), (true, true), "{text}");
    }
    for text in
        ["echo \"", "echo 'a ", "echo \"it's ", "x=\"a $y ", "echo $'a ", "echo \"$(date) ", "x=$(echo \"a"]
    {
        assert_eq!(admitted(Shell::Bash, text), (false, true), "{text}");
    }
}

#[test]
fn nothing_is_admitted_where_the_shell_would_take_it_for_more() {
    for text in [
        "",
        "x\n",
        "echo;",
        "echo | ",
        "echo && ",
        "(",
        "{ ",
        "! ",
        "x=1 ",
        "/opt/",
        "\"",
        "exec ",
        "command ",
        ">log ",
        "echo $(",
        "if ",
        "then ",
        "f() ",
        "case x in a) ",
        "# ",
        "echo # ",
        "echo \\",
        "echo $",
        "echo \"$",
        "echo \"\\",
        "echo $((",
        "echo $((1 + $(echo ",
        "((",
        "let ",
        "for ((i=0; i < ",
        "echo ${x:-",
        "echo ${x:-$(echo ",
        "echo \"${x:-",
        "a[",
        "a[1]=",
        "echo a[",
        "a=([",
        "[[ ",
        "[[ 1 -eq ",
        "[[ 1 -eq \"",
        "[ -v ",
        "test a -a -v ",
        "printf -v ",
        "printf '-v' ",
        "eval ",
        "\\eval ",
        "\"eval\" ",
        "command eval ",
        "x=1 eval \"",
        "2>/dev/null eval ",
        "unset ",
        "read ",
        "trap ",
        "declare ",
        "declare -i x=",
        "typeset -ga x=",
        "declare $options x=",
        "cat <<",
        "cat << E",
        "cat <<EOF\n",
        "cat <<EOF\na\n EOF\n",
        "cat <<EOF\na\\\nEOF\n",
        "cat <<'EOF'\na ",
        "cat <<$x\n$x\necho ",
        "echo `echo ",
        "echo $[1+",
        "cat <<A $(echo ",
        "x=$(echo case ",
    ] {
        assert_eq!(admitted(Shell::Bash, text), (false, false), "{text}");
    }
    // What shells read in different ways.
    for text in ["echo $'a' ", "[[ x ]] && echo ", "echo \"${x:-'}'}\" "] {
        assert_eq!(admitted(Shell::Sh, text), (false, false), "{text}");
    }
    // The middle of a variable's name.
    assert_eq!(admitted(Shell::Sh, "echo $x"), (true, false));
    assert_eq!(admitted(Shell::Sh, "echo \"$x"), (false, false));
}
