#pragma once

#include "ip_packet.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

/// Network address translation in front of one client, for one address family.
///
/// A flow is a port of the client. Until the first rebinding, what the server sees is what the client sent.
class Nat
{
  public:
    /// A random number from 0 to below `limit`.
    using Draw = std::function<std::uint32_t(std::uint32_t limit)>;

    struct Rebinding
    {
        std::uint16_t clientPort;
        std::uint16_t before;
        std::uint16_t after;
    };

    Nat(Address client, Address server);

    /// Rewrites a datagram on its way to the server. False: it is not the client's, and goes nowhere.
    bool Outward(IpPacket& packet, const Draw& draw);

    /// Rewrites a datagram on its way to the client. False: not the server's, or to a port or address no longer in use.
    bool Inward(IpPacket& packet) const;

    /// Give every known flow a port that none has had before; the old ones stop working at once.
    std::vector<Rebinding> RebindPorts(const Draw& draw);

    /// From now on, the server sees all flows come from `address`.
    void RebindAddress(Address address) { m_external = std::move(address); }

    const Address& Client() const { return m_client; }

  private:
    std::uint16_t UnusedPort(const Draw& draw);

    Address m_client;
    Address m_server;
    Address m_external;
    std::map<std::uint16_t, std::uint16_t> m_outward; ///< client's port -> port the server sees
    std::map<std::uint16_t, std::uint16_t> m_inward;
    std::set<std::uint16_t> m_used; ///< ports the server has ever seen
};
