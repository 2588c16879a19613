//! Uploads of every kind, honest and hostile, read from memory.

mod bombs;
mod damage;
mod formats;
mod hostile_tar;
mod hostile_zip;
mod round_trip;
mod tar_writer;
mod workshop;
mod zip_writer;
