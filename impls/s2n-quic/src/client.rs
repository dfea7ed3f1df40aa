//! The client: fetches what it is asked for, over the connections the test case wants.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    slice,
};

use futures::stream::{self, StreamExt, TryStreamExt};
use s2n_quic::{
    Client as Endpoint, Connection, client::Connect, provider::tls::s2n_tls, stream::ReceiveStream,
};
use tokio::{io::AsyncReadExt, net::lookup_host, task::JoinSet};

use crate::{
    contract::{ROOT, Result, Url, save},
    hq,
    limits::limits,
    tickets::Tickets,
};

/// Handshakes that lose packets wait for seconds, so `multiconnect` has some of them wait together.
const AT_ONCE: usize = 10;

/// s2n-tls takes seven by default; the longest chain of the runner has nine, and the root.
const LONGEST_CHAIN: u16 = 10;

pub async fn run(testcase: &str) -> Result<()> {
    let urls = Url::requests()?;
    let tickets = (testcase == "resumption").then(Tickets::default);
    let client = Client::new(&urls[0], tickets.clone()).await?;
    match (testcase, tickets) {
        ("multiconnect", _) => {
            let client = &client;
            stream::iter(&urls)
                .map(Ok)
                .try_for_each_concurrent(AT_ONCE, |url| client.fetch(slice::from_ref(url)))
                .await?;
        }
        (_, Some(tickets)) => {
            let (first, rest) = urls.split_at(1);
            let mut connection = client.connect().await?;
            fetch_over(&mut connection, first).await?;
            tickets.arrived().await?;
            connection.close(0_u32.into());
            client.fetch(rest).await?;
        }
        _ => client.fetch(&urls).await?,
    }
    client.finish().await
}

struct Client {
    host: String,
    server: SocketAddr,
    endpoint: Endpoint,
}

impl Client {
    /// With a place for tickets, each connection resumes the one before it.
    async fn new(url: &Url, tickets: Option<Tickets>) -> Result<Self> {
        let server = lookup_host((url.host.as_str(), url.port))
            .await?
            .next()
            .ok_or("the server's name has no address")?;
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut tls = s2n_tls::Client::builder()
            .with_empty_trust_store()?
            .with_certificate(Path::new(ROOT))?
            .with_max_cert_chain_depth(LONGEST_CHAIN)?
            .with_application_protocols([hq::ALPN])?
            .with_key_logging()?;
        if let Some(tickets) = tickets {
            tls.config_mut()
                .set_session_ticket_callback(tickets.clone())?
                .set_connection_initializer(tickets)?;
        }
        let endpoint = Endpoint::builder()
            .with_tls(tls.build()?)?
            .with_io((any, 0))?
            .with_limits(limits()?)?
            .start()?;
        Ok(Self {
            host: url.host.clone(),
            server,
            endpoint,
        })
    }

    async fn connect(&self) -> Result<Connection> {
        let connect = Connect::new(self.server).with_server_name(self.host.as_str());
        Ok(self.endpoint.connect(connect).await?)
    }

    /// One connection from its handshake to its end.
    async fn fetch(&self, urls: &[Url]) -> Result<()> {
        let mut connection = self.connect().await?;
        fetch_over(&mut connection, urls).await?;
        connection.close(0_u32.into());
        Ok(())
    }

    /// Without waiting, the packets that tell the server would never leave.
    async fn finish(mut self) -> Result<()> {
        Ok(self.endpoint.wait_idle().await?)
    }
}

async fn fetch_over(connection: &mut Connection, urls: &[Url]) -> Result<()> {
    let mut answers = JoinSet::new();
    // No request waits for an answer, only for the server to allow its stream.
    for url in urls {
        let (recv, mut send) = connection.open_bidirectional_stream().await?.split();
        send.send(hq::request(&url.path).into()).await?;
        send.finish()?;
        answers.spawn(receive(recv, url.path.clone()));
    }
    while let Some(answer) = answers.join_next().await {
        answer??;
    }
    Ok(())
}

async fn receive(mut recv: ReceiveStream, path: String) -> Result<()> {
    let mut content = Vec::new();
    recv.read_to_end(&mut content).await?;
    save(&path, &content)
}
