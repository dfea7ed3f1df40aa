//! The server: answers requests until it is told to stop.

use std::{
    fs::File,
    io::Read,
    net::Ipv6Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use s2n_quic::{
    Connection, Server,
    connection::{self, Handle},
    provider::{endpoint_limits, tls::s2n_tls},
    stream::BidirectionalStream,
};
use tokio::{io::AsyncReadExt, time::sleep};

use crate::{
    contract::{CERTIFICATE, Error, PRIVATE_KEY, Result},
    hq,
    limits::limits,
};

const PORT: u16 = 443;

/// For the last packets to leave; a server of s2n-quic cannot be asked whether they have.
const FAREWELL: Duration = Duration::from_millis(200);

pub async fn run<T>(testcase: &str, stop: impl Future<Output = T>) -> Result<()> {
    let mut retry = endpoint_limits::Default::builder();
    if testcase == "retry" {
        // No handshake is allowed before the client's address is validated.
        retry = retry.with_inflight_handshake_limit(0)?;
    }
    let server = Server::builder()
        .with_tls(tls()?)?
        .with_io((Ipv6Addr::UNSPECIFIED, PORT))?
        .with_limits(limits()?)?
        .with_endpoint_limits(retry.build()?)?
        .start()?;
    eprintln!("listening on {}", server.local_addr()?);
    let connections = Arc::default();
    tokio::select! {
        () = accept(server, &connections) => (),
        _ = stop => (),
    }
    for connection in connections.lock().expect("nobody panics with it").iter() {
        connection.close(0_u32.into());
    }
    sleep(FAREWELL).await;
    Ok(())
}

fn tls() -> Result<s2n_tls::Server> {
    let mut tls = s2n_tls::Server::builder()
        .with_certificate(Path::new(CERTIFICATE), Path::new(PRIVATE_KEY))?
        .with_application_protocols([hq::ALPN])?
        .with_key_logging()?;
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    tls.config_mut()
        .enable_session_tickets(true)?
        .add_session_ticket_key(b"the only one", &key, SystemTime::now())?;
    Ok(tls.build()?)
}

async fn accept(mut server: Server, connections: &Mutex<Vec<Handle>>) {
    while let Some(connection) = server.accept().await {
        connections
            .lock()
            .expect("nobody panics with it")
            .push(connection.handle());
        tokio::spawn(serve(connection));
    }
}

async fn serve(mut connection: Connection) {
    loop {
        match connection.accept_bidirectional_stream().await {
            Ok(Some(stream)) => drop(tokio::spawn(answer(stream))),
            Ok(None) | Err(connection::Error::Application { .. }) => return,
            Err(error) => {
                eprintln!("{}: {error}", connection.id());
                return;
            }
        }
    }
}

async fn answer(stream: BidirectionalStream) {
    let (recv, mut send) = stream.split();
    let response = async {
        let mut request = Vec::new();
        recv.take(hq::LONGEST_REQUEST as u64)
            .read_to_end(&mut request)
            .await?;
        send.send(hq::response(&request)?.into()).await?;
        Ok::<_, Error>(())
    };
    match response.await {
        // Both fail only where the peer has stopped the stream already.
        Ok(()) => drop(send.finish()),
        Err(error) => {
            eprintln!("a request failed: {error}");
            let _ = send.reset(1_u32.into());
        }
    }
}
