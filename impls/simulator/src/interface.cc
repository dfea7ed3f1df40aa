#include "interface.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace
{

/// Room for a burst at full speed while the scenario has no processor: 4 MiB is over 1000 packets as the kernel counts.
constexpr int kSocketBuffer = 4 << 20;

void
Require(int result, const std::string& what)
{
    if (result < 0)
    {
        throw std::system_error(errno, std::generic_category(), what);
    }
}

template <typename T>
void
SetOption(int fd, int level, int option, const T& value, const char* what)
{
    Require(setsockopt(fd, level, option, &value, sizeof value), what);
}

/// What ns-3 gets to see, in the language of pcap-filter(7).
std::string
Filter(const std::vector<Interface>& local)
{
    std::ostringstream filter;
    // ARP replies, neighbour advertisements, and the packets of the contract's networks …
    filter << "(arp[6:2] = 2) or (icmp6 and ip6[40] = 136)"
           << " or (((ip and dst net 193.167.0.0/16) or (ip6 and dst net fd00:cafe:cafe::/48))";
    // … that are not for this container.
    for (const auto& interface : local)
    {
        for (const auto& [address, mask] : interface.ipv4)
        {
            filter << " and not (ip and dst host " << address << ")";
        }
        for (const auto& [address, prefix] : interface.ipv6)
        {
            filter << " and not (ip6 and dst host " << address << ")";
        }
    }
    filter << ")";
    return filter.str();
}

void
AttachFilter(int fd, const std::string& text)
{
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> pcap(pcap_open_dead(DLT_EN10MB, 65535), pcap_close);
    bpf_program program{};
    if (pcap_compile(pcap.get(), &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    {
        throw std::runtime_error("filter '" + text + "': " + pcap_geterr(pcap.get()));
    }
    // struct sock_fprog of linux/filter.h, whose macros clash with libpcap's.
    const struct
    {
        unsigned short length;
        const bpf_insn* instructions;
    } kernel{static_cast<unsigned short>(program.bf_len), program.bf_insns};
    SetOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, kernel, "SO_ATTACH_FILTER");
    pcap_freecode(&program);
}

} // namespace

Interface
ReadInterface(const std::string& name)
{
    Interface interface{name, {}, {}, {}};
    ifaddrs* list = nullptr;
    Require(getifaddrs(&list), "getifaddrs");
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
    for (const ifaddrs* it = list; it != nullptr; it = it->ifa_next)
    {
        if (it->ifa_addr == nullptr || name != it->ifa_name)
        {
            continue;
        }
        switch (it->ifa_addr->sa_family)
        {
        case AF_PACKET:
            interface.mac.CopyFrom(reinterpret_cast<const sockaddr_ll*>(it->ifa_addr)->sll_addr);
            break;
        case AF_INET: {
            const auto* address = reinterpret_cast<const sockaddr_in*>(it->ifa_addr);
            const auto* mask = reinterpret_cast<const sockaddr_in*>(it->ifa_netmask);
            interface.ipv4.emplace_back(ns3::Ipv4Address(ntohl(address->sin_addr.s_addr)),
                                        ns3::Ipv4Mask(ntohl(mask->sin_addr.s_addr)));
            break;
        }
        case AF_INET6: {
            const auto* address = reinterpret_cast<const sockaddr_in6*>(it->ifa_addr);
            const auto* mask = reinterpret_cast<const sockaddr_in6*>(it->ifa_netmask);
            if (!IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr))
            {
                interface.ipv6.emplace_back(ns3::Ipv6Address(const_cast<std::uint8_t*>(address->sin6_addr.s6_addr)),
                                            ns3::Ipv6Prefix(const_cast<std::uint8_t*>(mask->sin6_addr.s6_addr)));
            }
            break;
        }
        default:
            break;
        }
    }
    if (interface.ipv4.empty())
    {
        throw std::runtime_error("there is no interface " + name + " with an IPv4 address in this container");
    }
    return interface;
}

int
OpenPacketSocket(const Interface& interface, const std::vector<Interface>& local)
{
    const int index = static_cast<int>(if_nametoindex(interface.name.c_str()));
    // Protocol 0: nothing arrives before the filter is in place.
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    Require(fd, "packet socket on " + interface.name + " (needs NET_RAW)");
    AttachFilter(fd, Filter(local));
    // Without it, ns-3 would receive what it sends, and what the kernel sends.
    SetOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    // More than net.core.rmem_max takes NET_ADMIN; with less than asked, it works as well until a burst comes.
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) != 0)
    {
        SetOption(fd, SOL_SOCKET, SO_RCVBUF, kSocketBuffer, "SO_RCVBUF");
    }
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = index;
    promiscuous.mr_type = PACKET_MR_PROMISC;
    // In force as long as this socket is open: the interface is left as it was found.
    SetOption(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous, "PACKET_ADD_MEMBERSHIP");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = index;
    Require(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind to " + interface.name);
    return fd;
}
