//! The client: fetches what it is asked for, over the connections the test case wants.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    slice,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::stream::{self, StreamExt, TryStreamExt};
use quinn::{ClientConfig, Connecting, Connection, Endpoint};
use tokio::net::lookup_host;

use crate::{
    contract::{Result, Url},
    protocol::{Progress, Protocol},
    tickets::Tickets,
    tls, transport,
};

/// Handshakes that lose packets wait for seconds, so `multiconnect` has some of them wait together.
const AT_ONCE: usize = 10;

/// `keyupdate` wants one within the first megabyte.
const UPDATE_AFTER: usize = 100 << 10;

pub async fn run(testcase: &str) -> Result<()> {
    let urls = Url::requests()?;
    match testcase {
        "multiconnect" => {
            let client = &Client::new(testcase, &urls[0], None).await?;
            stream::iter(&urls)
                .map(Ok)
                .try_for_each_concurrent(AT_ONCE, |url| client.fetch(slice::from_ref(url)))
                .await
        }
        "resumption" | "zerortt" => {
            let tickets = Arc::new(Tickets::new());
            let client = Client::new(testcase, &urls[0], Some(tickets.clone())).await?;
            let (first, rest) = urls.split_at(1);
            let (endpoint, connecting) = client.dial()?;
            let connection = connecting.await?;
            let protocol = Protocol::of(connection.handshake_data())?;
            protocol.fetch(&connection, first, &client.progress).await?;
            tickets.arrived().await?;
            close(&endpoint, &connection).await;
            if testcase == "zerortt" {
                client.fetch_early(protocol, rest).await
            } else {
                client.fetch(rest).await
            }
        }
        _ => {
            let client = Client::new(testcase, &urls[0], None).await?;
            client.fetch(&urls).await
        }
    }
}

struct Client {
    testcase: String,
    host: String,
    server: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    dialed: AtomicUsize,
    progress: Arc<Progress>,
}

impl Client {
    async fn new(testcase: &str, url: &Url, tickets: Option<Arc<Tickets>>) -> Result<Self> {
        let server = lookup_host((url.host.as_str(), url.port))
            .await?
            .next()
            .ok_or("the server's name has no address")?;
        Ok(Self {
            testcase: testcase.to_owned(),
            host: url.host.clone(),
            server,
            tls: tls::client(testcase, tickets)?,
            dialed: AtomicUsize::new(0),
            progress: Arc::new(Progress::new(
                (testcase == "keyupdate").then_some(UPDATE_AFTER),
            )),
        })
    }

    /// Begins a connection. Each has a port of its own, so nothing is left to how the server tells them apart.
    fn dial(&self) -> Result<(Endpoint, Connecting)> {
        let any = match self.server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let endpoint = Endpoint::client(any)?;
        let number = self.dialed.fetch_add(1, Ordering::Relaxed) + 1;
        let mut config = ClientConfig::new(Arc::new(tls::quic_client(self.tls.clone())));
        let log = format!("client-{number}");
        config.transport_config(transport::config(&self.testcase, &log).into());
        let connecting = endpoint.connect_with(config, self.server, &self.host)?;
        Ok((endpoint, connecting))
    }

    /// One connection from its handshake to its end.
    async fn fetch(&self, urls: &[Url]) -> Result<()> {
        let (endpoint, connecting) = self.dial()?;
        let connection = connecting.await?;
        let protocol = Protocol::of(connection.handshake_data())?;
        protocol.fetch(&connection, urls, &self.progress).await?;
        close(&endpoint, &connection).await;
        Ok(())
    }

    /// The same, with requests that do not wait for the handshake. The ticket is for a protocol already negotiated.
    async fn fetch_early(&self, protocol: Protocol, urls: &[Url]) -> Result<()> {
        let (endpoint, connecting) = self.dial()?;
        let (connection, accepted) = connecting
            .into_0rtt()
            .map_err(|_| "the session ticket is not good for early data")?;
        let early = protocol.fetch(&connection, urls, &self.progress).await;
        if early.is_err() && !accepted.await {
            eprintln!("the server refused early data: asking again");
            protocol.fetch(&connection, urls, &self.progress).await?;
        } else {
            early?;
        }
        close(&endpoint, &connection).await;
        Ok(())
    }
}

/// Without waiting, the packet that tells the server would never leave.
async fn close(endpoint: &Endpoint, connection: &Connection) {
    connection.close(0_u8.into(), b"");
    endpoint.wait_idle().await;
}
