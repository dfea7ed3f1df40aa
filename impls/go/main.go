// Command ping is one peer of a transport interoperability test case. The listener publishes its
// address through Redis; the dialer takes it from there, connects, pings once and prints the latency.
// The environment says which of the two it is and which stack to use, see loadConfig.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	ma "github.com/multiformats/go-multiaddr"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ping:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := loadConfig(os.Getenv)
	if err != nil {
		return err
	}
	if cfg.debug {
		gologshim.SetDefaultHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}

	// The one deadline of everything below.
	ctx, cancel := context.WithTimeoutCause(context.Background(), cfg.timeout, fmt.Errorf("timed out after %s", cfg.timeout))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	role := listen
	if cfg.dialer {
		role = dial
	}
	err = role(ctx, cfg, fail)
	// Whatever failed once ctx was done failed because of that.
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

func listen(ctx context.Context, cfg config, fail context.CancelCauseFunc) error {
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	rdb, err := connectRedis(ctx, stop.Done(), cfg)
	if err != nil || stop.Err() != nil {
		return err
	}
	defer rdb.Close()

	h, err := newNode(cfg, fail)
	if err != nil {
		return fmt.Errorf("building the node: %w", err)
	}
	defer closeNode(h)

	// Host.Addrs leaves out the wildcard, which publishedAddr can work with in an emergency.
	addr, err := publishedAddr(append(h.Addrs(), h.Network().ListenAddresses()...), cfg.listenIP, sourceIP(cfg.redisAddr))
	if err != nil {
		return err
	}
	id, err := ma.NewComponent("p2p", h.ID().String())
	if err != nil {
		return err
	}
	published := addr.AppendComponent(id).String()

	// A value left over by an earlier listener would be dialed in place of ours.
	_, err = rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, cfg.redisKey)
		tx.RPush(ctx, cfg.redisKey, published)
		return nil
	})
	if err != nil {
		return fmt.Errorf("publishing %s: %w", published, err)
	}
	fmt.Fprintln(os.Stderr, "listening:", published)

	select {
	case <-stop.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func dial(ctx context.Context, cfg config, fail context.CancelCauseFunc) error {
	rdb, err := connectRedis(ctx, nil, cfg)
	if err != nil {
		return err
	}
	defer rdb.Close()

	h, err := newNode(cfg, fail)
	if err != nil {
		return fmt.Errorf("building the node: %w", err)
	}
	defer closeNode(h)

	// Redis is to wait for ever (0), the deadline of ctx ends that.
	popped, err := rdb.BLPop(ctx, 0, cfg.redisKey).Result()
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The socket's deadline is that of ctx, but may be noticed first.
			<-ctx.Done()
		}
		return fmt.Errorf("waiting for the listener's address: %w", err)
	}
	addr := popped[1]
	listener, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return fmt.Errorf("published address %q: %w", addr, err)
	}

	start := time.Now()
	if err := h.Connect(network.WithDialPeerTimeout(ctx, cfg.timeout), *listener); err != nil {
		return fmt.Errorf("dialing %s: %w", addr, err)
	}
	rtt, err := pingOnce(ctx, h, listener.ID)
	if err != nil {
		return fmt.Errorf("pinging %s: %w", addr, err)
	}
	total := time.Since(start)

	// A connection on another stack than the asked one answers pings just as well.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err = os.Stdout.WriteString(record(cfg.unified, total, rtt))
	return err
}

// pingOnce is ping.Ping for a single round trip: that one goes on until it is cancelled.
func pingOnce(ctx context.Context, h host.Host, id peer.ID) (time.Duration, error) {
	s, err := h.NewStream(ctx, id, ping.ID)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	// Streams know nothing of contexts.
	defer context.AfterFunc(ctx, func() { s.Reset() })()

	sent, echoed := make([]byte, ping.PingSize), make([]byte, ping.PingSize)
	if _, err := rand.Read(sent); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := s.Write(sent); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s, echoed); err != nil {
		return 0, err
	}
	rtt := time.Since(start)
	if !bytes.Equal(sent, echoed) {
		return 0, errors.New("the echo differs from what was sent")
	}
	return rtt, nil
}

// record is the result in the form of the contract in use. The third l of the classic key is part of it.
func record(unified bool, handshakePlusOneRTT, pingRTT time.Duration) string {
	form := "{\"handshakePlusOneRTTMillis\": %.3f, \"pingRTTMilllis\": %.3f}\n"
	if unified {
		form = "latency:\n  handshake_plus_one_rtt: %.3f\n  ping_rtt: %.3f\n  unit: ms\n"
	}
	return fmt.Sprintf(form, millis(handshakePlusOneRTT), millis(pingRTT))
}

func millis(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// connectRedis tries until Redis answers, as it may start later than we do, or until stop.
func connectRedis(ctx context.Context, stop <-chan struct{}, cfg config) (*redis.Client, error) {
	// Every failed attempt would be logged, though only the last one matters.
	logging.Disable()
	rdb := redis.NewClient(&redis.Options{
		Addr:     cfg.redisAddr,
		Password: cfg.redisPassword,
		// What comes after the first PING happens once: a retried BLPOP or RPUSH could lose or double the address.
		MaxRetries:            -1,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
		// Plain commands only, anything that speaks the older RESP will do.
		Protocol:        2,
		DisableIdentity: true,
	})
	var lastErr error
	for {
		err := rdb.Ping(ctx).Err()
		if err == nil {
			return rdb, nil
		}
		if lastErr == nil || ctx.Err() == nil {
			lastErr = err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-stop:
			return rdb, nil
		case <-ctx.Done():
			rdb.Close()
			return nil, fmt.Errorf("connecting to Redis at %s: %w", cfg.redisAddr, lastErr)
		}
	}
}
