//! The QUIC endpoint of quinn, with HTTP/0.9 and, through h3, HTTP/3.
//!
//! `endpoint.sh` has already refused the test cases that are not done.

mod client;
mod contract;
mod entry;
mod hq;
mod http09;
mod http3;
mod protocol;
mod server;
mod tickets;
mod tls;
mod transport;
mod verifier;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    entry::main().await
}
