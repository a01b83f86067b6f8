use proptest::prelude::*;

use super::*;

fn known(name: &str) -> bool {
    matches!(name, "a" | "b_1")
}

/// The command with a sign for each place.
fn taken_apart(command: &str) -> String {
    let scan = scan(command, &known);
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Insert { what, quoting } => {
            let what = match what {
                Insert::Variable(name) => name.clone(),
                Insert::Reference(reference) => reference.to_string(),
            };
            let quoting = match quoting {
                Quoting::None => "-",
                Quoting::Single => "'",
                Quoting::Double => "\"",
            };
            format!("<{quoting}{what}>")
        }
    };
    scan.pieces.iter().map(piece).collect()
}

#[test]
fn places_are_found_with_their_quotes() {
    for (command, apart) in [
        ("x ${a} $a-y $b_1", "x <-a> <-a>-y <-b_1>"),
        ("\"${a}\" '${a}' $[[p]]", "\"<\"a>\" '<'a>' <-$[[p]]>"),
        ("echo $$HOME $$(date) $$$a", "echo $HOME $(date) $<-a>"),
        ("awk '{print $1, $x}' $?", "awk '{print $1, $x}' $?"),
        (
            "\"$$(f \"$a\" $a)$a\" $a",
            "\"$(f \"<\"a>\" <-a>)<\"a>\" <-a>",
        ),
        ("a # don't $a\n$a", "a # don't $a\n<-a>"),
        ("a#b'$a'", "a#b'<'a>'"),
        ("\\$a \\\"$a", "\\$a \\\"<-a>"),
        ("(cd x; (y $a)) && $a", "(cd x; (y <-a>)) && <-a>"),
        ("cat <<< $a", "cat <<< <-a>"),
        ("${abc} $ab ${HOME:-x}", "${abc} $ab ${HOME:-x}"),
        ("ü$aü", "ü<-a>ü"),
    ] {
        assert_eq!(taken_apart(command), apart);
        assert_eq!(scan(command, &known).flaws, [""; 0], "{command}");
    }
    assert_eq!(scan("$x ${yy} '$z' $1", &known).unknown, ["x", "yy"]);
}

#[test]
fn places_for_no_value_are_refused() {
    for (command, said) in [
        ("echo $$((1 + ${a}))", "((…))"),
        ("((x = ${a})); echo", "((…))"),
        ("echo `cat $a`", "`"),
        ("cat <<EOF\n$a\nEOF", "here-document"),
        ("echo ${a:-x}", "only ${name}"),
        ("echo $[[a", "not closed"),
        ("echo $[[]]", "names no parameter"),
        ("echo 'a", "quote"),
        ("echo \"a", "quote"),
    ] {
        let flaws = scan(command, &known).flaws;
        assert!(
            flaws.iter().any(|flaw| flaw.contains(said)),
            "{command}: {flaws:?}"
        );
    }
}

#[test]
fn words_are_quoted() {
    assert_eq!(quote("a/b.txt"), "a/b.txt");
    assert_eq!(quote(""), "''");
    assert_eq!(quote("it's"), r"'it'\''s'");
    assert_eq!(escape_double("a\"$`\\"), "a\\\"\\$\\`\\\\");
}

proptest! {
    #[test]
    fn any_command_is_taken_apart(
        command in r#"([$(){}\[\]'"`\\<#\n a]|\$\{a\}|\$\[\[|\]\]|<<|\PC){0,60}"#
    ) {
        let scan = scan(&command, &known);
        for piece in &scan.pieces {
            if let Piece::Text(text) = piece {
                prop_assert!(!text.is_empty());
            }
        }
    }
}
