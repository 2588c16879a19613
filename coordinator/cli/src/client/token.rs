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
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MOST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text))
    };
    let text = Secret::new(text);
    read.map_err(|why| Failure::usage(format!("cannot read the token from {}: {why}", path.display())))?;
    checked(text.reveal(), &path.display().to_string())
}

/// The token in a text, if it is whole.
pub fn checked(text: &str, place: &str) -> Result<Secret, Failure> {
    match Token::parse(TokenKind::Api, text) {
        Ok(_) => Ok(Secret::new(text.trim().to_owned())),
        Err(why) => Err(Failure::usage(format!("{place}: {why}"))),
    }
}
