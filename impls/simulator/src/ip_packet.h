#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

/// The two directions over the link, named by where a packet goes.
enum class Direction
{
    kToClient,
    kToServer,
};

inline constexpr std::array<Direction, 2> kDirections{Direction::kToClient, Direction::kToServer};

/// An IP address as it stands in a packet: 4 or 16 bytes.
using Address = std::vector<std::uint8_t>;

/// A whole IPv4 or IPv6 packet, seen as what error models ask for: UDP ports, addresses, payload.
///
/// What is written keeps the checksums as right, or as wrong, as they were: they are updated by the difference, as a NAT
/// does it (RFC 1624), so a checksum an endpoint got wrong stays visible in the captures.
class IpPacket
{
  public:
    explicit IpPacket(std::vector<std::uint8_t> bytes);

    /// A UDP datagram whose header is here. False for later fragments, extension headers and everything truncated.
    bool IsUdp() const { return m_udp != 0; }
    bool IsIpv6() const { return m_ipv6; }

    Address Source() const { return ReadAddress(m_ipv6 ? 8 : 12); }
    Address Destination() const { return ReadAddress(m_ipv6 ? 24 : 16); }
    void SetSource(const Address& address) { WriteAddress(m_ipv6 ? 8 : 12, address); }
    void SetDestination(const Address& address) { WriteAddress(m_ipv6 ? 24 : 16, address); }

    // What follows is defined for UDP only.
    std::uint16_t SourcePort() const { return Read16(m_udp); }
    std::uint16_t DestinationPort() const { return Read16(m_udp + 2); }
    void SetSourcePort(std::uint16_t port) { Write16(m_udp, port); }
    void SetDestinationPort(std::uint16_t port) { Write16(m_udp + 2, port); }

    std::size_t PayloadSize() const { return m_end - m_udp - 8; }
    std::uint8_t PayloadByte(std::size_t offset) const { return m_bytes[m_udp + 8 + offset]; }
    void SetPayloadByte(std::size_t offset, std::uint8_t value);

    const std::vector<std::uint8_t>& Bytes() const { return m_bytes; }

  private:
    std::uint16_t Read16(std::size_t at) const;
    /// `at` is even, counted from the UDP header.
    void Write16(std::size_t at, std::uint16_t value);
    Address ReadAddress(std::size_t at) const;
    void WriteAddress(std::size_t at, const Address& address);
    void UpdateUdpChecksum(std::uint16_t before, std::uint16_t after);

    std::vector<std::uint8_t> m_bytes;
    bool m_ipv6{false};
    std::size_t m_udp{0}; ///< where the UDP header begins; 0 if this is not UDP
    std::size_t m_end{0}; ///< where the UDP payload ends
};
