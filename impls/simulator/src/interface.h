#pragma once

#include <ns3/ipv4-address.h>
#include <ns3/ipv6-address.h>
#include <ns3/mac48-address.h>

#include <string>
#include <vector>

/// What the kernel knows about one network interface of the container.
struct Interface
{
    std::string name;
    ns3::Mac48Address mac;
    std::vector<std::pair<ns3::Ipv4Address, ns3::Ipv4Mask>> ipv4;
    std::vector<std::pair<ns3::Ipv6Address, ns3::Ipv6Prefix>> ipv6; ///< global ones
};

/// Ask the kernel. Throws std::runtime_error if there is no such interface or it has no IPv4 address.
Interface ReadInterface(const std::string& name);

/// A raw packet socket on `interface`, for an ns3::FdNetDevice.
///
/// It hands over what is to be forwarded and the answers ns-3 needs to find its neighbours, nothing else. `local` are
/// the interfaces whose addresses belong to the kernel: the kernel has the same addresses as ns-3 and goes on to answer
/// for them (ARP, neighbour discovery, ping, TCP 57832), so ns-3 must not see what would make it answer a second time.
/// Throws std::system_error.
int OpenPacketSocket(const Interface& interface, const std::vector<Interface>& local);
