//! How the listener hands its address to the dialer: a list in Redis.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use libp2p::Multiaddr;
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, IntoConnectionInfo, RedisConnectionInfo,
    aio::MultiplexedConnection,
};
use tokio::{net::UdpSocket, time::sleep};

use crate::{Result, contract::Case};

pub struct Rendezvous<'a> {
    redis: MultiplexedConnection,
    host: &'a (String, u16),
    key: &'a str,
}

impl<'a> Rendezvous<'a> {
    /// Tries until Redis answers; the case's deadline is the only end.
    pub async fn connect(case: &'a Case) -> Result<Self> {
        let (host, key) = (&case.redis, case.key.as_str());
        let mut settings = RedisConnectionInfo::default();
        if let Some(password) = &case.redis_password {
            settings = settings.set_password(password);
        }
        let info = (host.0.as_str(), host.1).into_connection_info()?;
        let client = Client::open(info.set_redis_settings(settings))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(5)))
            // BLPOP answers when the listener is ready.
            .set_response_timeout(None);
        let mut said = String::new();
        loop {
            match Self::attempt(&client, &config).await {
                Ok(redis) => return Ok(Self { redis, host, key }),
                // Say why we wait, but not ten times a second.
                Err(error) if error.to_string() != said => {
                    said = error.to_string();
                    eprintln!("waiting for Redis at {}:{}: {said}", host.0, host.1);
                }
                Err(_) => {}
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn attempt(
        client: &Client,
        config: &AsyncConnectionConfig,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let mut redis = client
            .get_multiplexed_async_connection_with_config(config)
            .await?;
        // A Redis that is still loading accepts connections, but refuses commands.
        redis.ping::<()>().await?;
        Ok(redis)
    }

    /// The address of this host on the network it shares with Redis, and so with the other peer.
    /// Connecting a UDP socket sends nothing, it only looks up the route.
    pub async fn shared_ip(&self) -> Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect((self.host.0.as_str(), self.host.1)).await?;
        Ok(socket.local_addr()?.ip())
    }

    pub async fn publish(&mut self, addr: &Multiaddr) -> Result<()> {
        // Whatever an earlier listener left under this key would be dialed in place of us.
        redis::pipe()
            .atomic()
            .del(self.key)
            .rpush(self.key, addr.to_string())
            .exec_async(&mut self.redis)
            .await?;
        Ok(())
    }

    pub async fn listener_addr(&mut self) -> Result<Multiaddr> {
        let (_, addr): (String, String) = self.redis.blpop(self.key, 0.0).await?;
        addr.trim()
            .parse()
            .map_err(|error| format!("{addr:?} is no multiaddr: {error}").into())
    }
}
