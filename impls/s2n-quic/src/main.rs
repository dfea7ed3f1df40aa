//! The QUIC endpoint of s2n-quic, with HTTP/0.9: the HTTP/3 of its repository is not published.
//!
//! `endpoint.sh` has already refused the test cases that are not done.

mod client;
mod contract;
mod entry;
mod hq;
mod limits;
mod server;
mod tickets;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    entry::main().await
}
