package main

import (
	"errors"
	"net"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// publishedAddr chooses among a node's own addresses the one at which the other peer reaches it. The
// node has a single transport and listens once, so its addresses differ in nothing but the IP.
//
// redisIP is this host's address as seen by Redis, hence in the network the peers share: it is
// preferred among several, and substituted where no usable address is left.
func publishedAddr(addrs []ma.Multiaddr, listenIP, redisIP net.IP) (ma.Multiaddr, error) {
	var usable ma.Multiaddr
	for _, addr := range addrs {
		ip, err := manet.ToIP(addr)
		if err != nil || !sameFamily(ip, listenIP) || ip.IsUnspecified() || ip.IsLinkLocalUnicast() {
			continue
		}
		// Whoever makes a node listen on a loopback address wants it to be reached there.
		if ip.IsLoopback() && !listenIP.IsLoopback() {
			continue
		}
		if ip.Equal(redisIP) {
			return addr, nil
		}
		if usable == nil {
			usable = addr
		}
	}
	if usable != nil {
		return usable, nil
	}

	if redisIP != nil && sameFamily(redisIP, listenIP) {
		for _, addr := range addrs {
			if ip, err := manet.ToIP(addr); err != nil || !sameFamily(ip, listenIP) {
				continue
			}
			ip, err := manet.FromIP(redisIP)
			if err != nil {
				return nil, err
			}
			_, rest := ma.SplitFirst(addr)
			return ip.Encapsulate(rest), nil
		}
	}
	return nil, errors.New("no reachable listen address")
}

func sameFamily(a, b net.IP) bool {
	return (a.To4() == nil) == (b.To4() == nil)
}

// sourceIP is the address this host has on the way to target. Connecting a UDP socket sends nothing,
// so this works without any route to the internet.
func sourceIP(target string) net.IP {
	conn, err := net.Dial("udp", target)
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP
}
