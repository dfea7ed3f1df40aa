package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// newTLS is what both roles have in common. The protocols are in order of preference.
func newTLS(protocols []string, keyLog io.Writer) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		// With Go's default, a post-quantum key share, a ClientHello takes two datagrams. Test cases that count or
		// drop the first ones (amplificationlimit, retry) are made for one.
		CurvePreferences: []tls.CurveID{tls.X25519},
		KeyLogWriter:     keyLog,
	}
}

// trust makes a client accept servers the contract's authority vouches for. The folder is /certs.
func trust(conf *tls.Config, folder string) error {
	name := filepath.Join(folder, "ca.pem")
	pem, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("there is no certificate in %s", name)
	}
	return nil
}

// identify gives a server its certificate, and the intermediates up to the authority. The folder is /certs.
func identify(conf *tls.Config, folder string) error {
	cert, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "priv.key"))
	conf.Certificates = []tls.Certificate{cert}
	return err
}

// openKeyLog opens the file TLS secrets are added to. Without a name there is none.
func openKeyLog(name string) (io.Writer, error) {
	if name == "" {
		return nil, nil
	}
	// Unbuffered, so that nothing is lost however this ends.
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("key log: %w", err)
	}
	return file, nil
}
