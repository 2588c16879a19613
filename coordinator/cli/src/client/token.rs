//! Where a token comes from: a file or standard input, never the command line, where others could read it.

use std::io::Read;
use std::path::Path;

use windlass_protocol::Secret;
use windlass_protocol::token::{Token, TokenKind};

use crate::failure::Failure;

/// Bytes of a token's file: a token has 116.
const MOST: u64 = 4096;

/// Reads a token from a file, or from standard input where the path is `-`.
pub fn read_token(path: &Path) -> Result<Secret, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().take(MOST).read_to_string(&mut text);
        let text = Secret::new(text);
        read.map_err(|why| Failure::usage(format!("cannot read the token from standard input: {why}")))?;
        return checked(text.reveal(), "standard input");
    }
    let text = windlass_sentences::read_text("the token from", path, MOST);
    let text = Secret::new(text.map_err(|fault| Failure::usage(fault.sentence))?);
    checked(text.reveal(), &path.display().to_string())
}

/// The token in a text, if it is whole.
pub fn checked(text: &str, place: &str) -> Result<Secret, Failure> {
    match Token::parse(TokenKind::Api, text) {
        Ok(_) => Ok(Secret::new(text.trim().to_owned())),
        Err(why) => Err(Failure::usage(format!("{place}: {why}"))),
    }
}
