//! What stands between `#{` and `}`: names, filters, conditions.
//!
//! Every function here moves the cursor to where it failed, so that the parser can go on from there.

use super::cursor::{Cursor, is_identifier};
use crate::filters::Filter;
use crate::limits;
use crate::problem::Fault;
use crate::syntax::{Call, Condition, Expression, Operand, Step, Symbol};

type Parsed<T> = Result<T, Fault>;

/// `symbol | filter argument… | …`, the symbol being optional where a filter follows.
pub(super) fn expression(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Expression> {
    if depth > limits::DEPTH {
        return Err(Fault::TooDeep);
    }
    cursor.skip_white_space();
    let symbol = match cursor.peek() {
        Some('|') => None,
        _ => Some(symbol(cursor, depth)?),
    };
    let mut filters = Vec::new();
    while cursor.take("|") {
        filters.push(call(cursor, depth)?);
        cursor.skip_white_space();
    }
    Ok(Expression { symbol, filters })
}

/// The end of a tag.
pub(super) fn end(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.skip_white_space();
    if cursor.take("}") { Ok(()) } else { Err(Fault::Expected("`}`")) }
}

/// `left`, `left == right` or `left != right`.
pub(super) fn condition(cursor: &mut Cursor<'_>) -> Parsed<Condition> {
    let left = expression(cursor, 1)?;
    cursor.skip_white_space();
    let equal = if cursor.take("==") {
        true
    } else if cursor.take("!=") {
        false
    } else {
        return Ok(Condition { left, comparison: None });
    };
    cursor.skip_white_space();
    let right = match quoted(cursor)? {
        Some(text) => Operand::Text(text),
        None => Operand::Expression(expression(cursor, 1)?),
    };
    Ok(Condition { left, comparison: Some((equal, right)) })
}

/// `variable in Collection`.
pub(super) fn repetition(cursor: &mut Cursor<'_>) -> Parsed<(String, Symbol)> {
    cursor.skip_white_space();
    let variable = cursor.identifier(true);
    if variable.is_empty() {
        return Err(Fault::Expected("a name for each element"));
    }
    if !cursor.take_keyword("in") {
        return Err(Fault::Expected("`in` and a collection"));
    }
    cursor.skip_white_space();
    Ok((variable.to_owned(), symbol(cursor, 1)?))
}

/// `Foo.Bar[key]`. White space around its parts does not count.
fn symbol(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Symbol> {
    let head = identifier(cursor)?;
    let mut steps = Vec::new();
    loop {
        if steps.len() > limits::NAME_PARTS {
            return Err(Fault::TooManyParts);
        }
        if cursor.take(".") {
            steps.push(Step::Name(identifier(cursor)?));
        } else if cursor.take("[") {
            steps.push(index(cursor, depth)?);
            cursor.skip_white_space();
        } else {
            return Ok(Symbol { head, steps });
        }
    }
}

fn identifier(cursor: &mut Cursor<'_>) -> Parsed<String> {
    match cursor.identifier(false) {
        "" => Err(Fault::Expected("a name")),
        name => Ok(name.to_owned()),
    }
}

/// What stands in brackets, after the opening one: `#{…}`, `*`, or a key that may itself contain balanced brackets.
fn index(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Step> {
    cursor.skip_white_space();
    if cursor.take("#{") {
        let computed = expression(cursor, depth + 1)?;
        end(cursor)?;
        cursor.skip_white_space();
        return if cursor.take("]") { Ok(Step::Computed(computed)) } else { Err(Fault::Expected("`]`")) };
    }
    let start = cursor.at;
    let mut open = 0;
    loop {
        cursor.take_while(|character| !matches!(character, '[' | ']' | '#' | '\n'));
        match cursor.peek() {
            Some(']') if open == 0 => break,
            Some(']') => open -= 1,
            Some('[') => open += 1,
            Some('#') if !cursor.rest().starts_with("#{") => {}
            _ => return Err(Fault::Expected("`]`")),
        }
        cursor.at += 1;
    }
    let key = cursor.text[start..cursor.at].trim_end();
    cursor.at += 1;
    Ok(if key == "*" { Step::Any } else { Step::Key(key.to_owned()) })
}

fn call(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Call> {
    cursor.skip_white_space();
    let name = cursor.take_while(is_identifier);
    if name.is_empty() {
        return Err(Fault::Expected("a filter"));
    }
    let mut arguments = Vec::new();
    loop {
        cursor.skip_white_space();
        if let Some(text) = quoted(cursor)? {
            arguments.push(Operand::Text(text));
        } else if cursor.take("#{") {
            arguments.push(Operand::Expression(expression(cursor, depth + 1)?));
            end(cursor)?;
        } else {
            match cursor.take_while(is_identifier) {
                "" => return Ok(Call { filter: Filter::named(name), arguments }),
                word => arguments.push(Operand::Text(word.to_owned())),
            }
        }
    }
}

/// `"text"`, or `\"text\"` as it has to be written inside JSON. `None` where neither comes.
fn quoted(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    let quote = if cursor.take("\"") {
        "\""
    } else if cursor.take("\\\"") {
        "\\\""
    } else {
        return Ok(None);
    };
    let rest = cursor.rest();
    let close = rest.find(quote).unwrap_or(rest.len());
    // Substitutions inside quotes are not a thing, so this is an unclosed quote before another tag.
    let length = rest[..close].find("#{").unwrap_or(close);
    cursor.at += length;
    if !cursor.take(quote) {
        return Err(Fault::Expected("a closing quote"));
    }
    Ok(Some(rest[..length].to_owned()))
}
