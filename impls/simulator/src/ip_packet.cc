#include "ip_packet.h"

#include <algorithm>
#include <utility>

namespace
{

constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kUdpChecksum = 6;

/// RFC 1624, equation 3: the checksum of a text in which one 16-bit word has changed.
std::uint16_t
Updated(std::uint16_t checksum, std::uint16_t before, std::uint16_t after)
{
    std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
    sum += static_cast<std::uint16_t>(~before);
    sum += after;
    while (sum >> 16)
    {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

} // namespace

IpPacket::IpPacket(std::vector<std::uint8_t> bytes)
    : m_bytes(std::move(bytes))
{
    if (m_bytes.empty())
    {
        return;
    }
    m_ipv6 = m_bytes[0] >> 4 == 6;
    std::size_t header = 0;
    if (m_ipv6)
    {
        header = m_bytes.size() >= kIpv6Header && m_bytes[6] == kUdp ? kIpv6Header : 0;
    }
    else if (m_bytes.size() >= 20 && m_bytes[9] == kUdp && (Read16(6) & 0x1fff) == 0)
    {
        header = (m_bytes[0] & 0x0f) * 4U;
    }
    if (header == 0 || m_bytes.size() < header + kUdpHeader)
    {
        return;
    }
    const std::size_t length = Read16(header + 4);
    if (length < kUdpHeader || header + length > m_bytes.size())
    {
        return;
    }
    m_udp = header;
    m_end = header + length;
}

void
IpPacket::SetPayloadByte(std::size_t offset, std::uint8_t value)
{
    const std::size_t at = m_udp + kUdpHeader + offset;
    // The checksum is over 16-bit words, of which this is one half; a last odd byte is paired with a zero.
    const std::uint8_t before = std::exchange(m_bytes[at], value);
    if (offset % 2 == 0)
    {
        UpdateUdpChecksum(before << 8, value << 8);
    }
    else
    {
        UpdateUdpChecksum(before, value);
    }
}

std::uint16_t
IpPacket::Read16(std::size_t at) const
{
    return static_cast<std::uint16_t>(m_bytes[at] << 8 | m_bytes[at + 1]);
}

void
IpPacket::Write16(std::size_t at, std::uint16_t value)
{
    UpdateUdpChecksum(Read16(at), value);
    m_bytes[at] = value >> 8;
    m_bytes[at + 1] = value & 0xff;
}

Address
IpPacket::ReadAddress(std::size_t at) const
{
    return Address(m_bytes.begin() + at, m_bytes.begin() + at + (m_ipv6 ? 16 : 4));
}

void
IpPacket::WriteAddress(std::size_t at, const Address& address)
{
    for (std::size_t i = 0; i < address.size(); i += 2)
    {
        const std::uint16_t before = Read16(at + i);
        const std::uint16_t after = address[i] << 8 | address[i + 1];
        UpdateUdpChecksum(before, after); // the pseudo header is part of it
        if (!m_ipv6)
        {
            const std::uint16_t checksum = Updated(Read16(kIpv4Checksum), before, after);
            m_bytes[kIpv4Checksum] = checksum >> 8;
            m_bytes[kIpv4Checksum + 1] = checksum & 0xff;
        }
    }
    std::copy(address.begin(), address.end(), m_bytes.begin() + at);
}

void
IpPacket::UpdateUdpChecksum(std::uint16_t before, std::uint16_t after)
{
    const std::size_t at = m_udp + kUdpChecksum;
    const std::uint16_t checksum = Read16(at);
    if (checksum == 0) // over IPv4, zero says that there is none (RFC 768)
    {
        return;
    }
    std::uint16_t updated = Updated(checksum, before, after);
    updated = updated == 0 ? 0xffff : updated;
    m_bytes[at] = updated >> 8;
    m_bytes[at + 1] = updated & 0xff;
}
