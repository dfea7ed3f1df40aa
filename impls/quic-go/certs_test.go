package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCerts makes a chain of one, as the contract has it: the root in ca.pem, the leaf in cert.pem, its key in SEC1 form.
func writeCerts(t *testing.T, folder string) {
	t.Helper()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certify := func(template, issuer *x509.Certificate, key, issuerKey *ecdsa.PrivateKey) []byte {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	rootKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	root := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	write("ca.pem", "CERTIFICATE", certify(root, root, rootKey, rootKey))
	leafKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	write("cert.pem", "CERTIFICATE", certify(&x509.Certificate{DNSNames: []string{"localhost"}}, root, leafKey, rootKey))
	der, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	write("priv.key", "EC PRIVATE KEY", der)
}
