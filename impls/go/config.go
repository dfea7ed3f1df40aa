package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

const (
	defaultTimeout   = "180"
	defaultRedisAddr = "redis:6379"
	defaultListenIP  = "0.0.0.0"
)

// A transport as this app knows it.
type transportInfo struct {
	// listen is what follows the IP component of the address to listen on.
	listen string
	// standalone transports bring their own security and multiplexing.
	standalone bool
}

var (
	transports = map[string]transportInfo{
		"tcp":           {listen: "/tcp/0"},
		"ws":            {listen: "/tcp/0/ws"},
		"wss":           {listen: "/tcp/0/tls/ws"},
		"quic-v1":       {listen: "/udp/0/quic-v1", standalone: true},
		"webtransport":  {listen: "/udp/0/quic-v1/webtransport", standalone: true},
		"webrtc-direct": {listen: "/udp/0/webrtc-direct", standalone: true},
	}
	securities = map[string]protocol.ID{"noise": noise.ID, "tls": libp2ptls.ID}
	muxers     = map[string]protocol.ID{"yamux": yamux.ID}
)

// config is one test case as one peer sees it.
type config struct {
	stack    stack
	dialer   bool
	listenIP net.IP

	redisAddr     string
	redisPassword string
	// redisKey is the list through which the listener hands over its address.
	redisKey string
	timeout  time.Duration
	debug    bool
	// unified tells which contract is spoken: it decides the form of the result.
	unified bool
}

// loadConfig reads either contract: the unified one, known by its TEST_KEY, with upper-case names,
// or the classic one with lower-case names. An empty variable counts as absent.
func loadConfig(getenv func(string) string) (config, error) {
	first := func(fallback string, names ...string) string {
		for _, name := range names {
			if v := getenv(name); v != "" {
				return v
			}
		}
		return fallback
	}

	cfg := config{redisPassword: getenv("REDIS_PASSWORD")}
	var isDialer, listenIP, timeout string
	switch testKey := getenv("TEST_KEY"); {
	case testKey != "":
		cfg.unified = true
		cfg.stack = stack{getenv("TRANSPORT"), getenv("SECURE_CHANNEL"), getenv("MUXER")}
		cfg.redisAddr = first(defaultRedisAddr, "REDIS_ADDR")
		cfg.redisKey = testKey + "_listener_multiaddr"
		cfg.debug = strings.EqualFold(getenv("DEBUG"), "true")
		isDialer = getenv("IS_DIALER")
		listenIP = first(defaultListenIP, "LISTENER_IP")
		timeout = first(defaultTimeout, "TEST_TIMEOUT_SECS")
		if cfg.stack.transport == "" {
			return config{}, fmt.Errorf("TEST_KEY is set but TRANSPORT is not")
		}
	case getenv("transport") != "":
		cfg.stack = stack{getenv("transport"), getenv("security"), getenv("muxer")}
		cfg.redisAddr = first(defaultRedisAddr, "redis_addr")
		cfg.redisKey = "listenerAddr"
		isDialer = getenv("is_dialer")
		listenIP = first(defaultListenIP, "ip")
		timeout = first(defaultTimeout, "test_timeout_seconds", "test_timeout_secs", "TEST_TIMEOUT_SECS")
	default:
		return config{}, fmt.Errorf("no test case in the environment: neither TEST_KEY (unified contract) nor transport (classic contract) is set")
	}

	info, ok := transports[cfg.stack.transport]
	if !ok {
		return config{}, unsupported("transport", cfg.stack.transport, transports)
	}
	if info.standalone {
		// Runners leave these out for standalone transports. Where one does not, they mean nothing.
		cfg.stack.security, cfg.stack.muxer = "", ""
	} else {
		if _, ok := securities[cfg.stack.security]; !ok {
			return config{}, unsupported("secure channel", cfg.stack.security, securities)
		}
		if _, ok := muxers[cfg.stack.muxer]; !ok {
			return config{}, unsupported("muxer", cfg.stack.muxer, muxers)
		}
	}

	switch strings.ToLower(isDialer) {
	case "true":
		cfg.dialer = true
	case "false":
	default:
		return config{}, fmt.Errorf("is_dialer must be true or false, not %q", isDialer)
	}

	if cfg.listenIP = net.ParseIP(listenIP); cfg.listenIP == nil {
		return config{}, fmt.Errorf("listen address %q is not an IP address", listenIP)
	}

	// 31 bits of seconds always fit into a time.Duration.
	seconds, err := strconv.ParseUint(timeout, 10, 31)
	if err != nil || seconds == 0 {
		return config{}, fmt.Errorf("timeout must be a positive whole number of seconds, not %q", timeout)
	}
	cfg.timeout = time.Duration(seconds) * time.Second
	return cfg, nil
}

func unsupported[V any](what, name string, known map[string]V) error {
	return fmt.Errorf("unsupported %s %q, this version has: %s", what, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}
