// Native clients of Go, for proxy_native_test.py: each prints what it got.
//
//	proxy_native_go postgres NAME PORT CA CERT KEY PASSWORD
//	proxy_native_go redis NAME PORT CA CERT KEY
//
// NAME is PORT-ENDPOINT, which is this host whatever its resolver knows.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/lib/pq"
)

type local struct{ port string }

func (l local) Dial(network, _ string) (net.Conn, error) {
	return net.Dial(network, "127.0.0.1:"+l.port)
}

func (l local) DialTimeout(network, _ string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout(network, "127.0.0.1:"+l.port, timeout)
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func postgres(name, port, ca, cert, key, password string) {
	c, err := pq.DialOpen(local{port}, fmt.Sprintf("host=%s port=%s sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s "+
		"user=somebody dbname=things password='%s'", name, port, ca, cert, key, password))
	must(err)
	rows, err := c.(driver.Queryer).Query("select current_user", nil)
	must(err)
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != io.EOF {
		must(err)
	}
	fmt.Printf("%s\n", row[0])
}

func speakRedis(name, port, ca, cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	pem, err := os.ReadFile(ca)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port,
		TLSConfig: &tls.Config{ServerName: name, RootCAs: roots, Certificates: []tls.Certificate{pair}}})
	got, err := c.Ping(context.Background()).Result()
	must(err)
	fmt.Println(got)
}

func main() {
	a := os.Args[2:]
	if os.Args[1] == "postgres" {
		postgres(a[0], a[1], a[2], a[3], a[4], a[5])
	} else {
		speakRedis(a[0], a[1], a[2], a[3], a[4])
	}
}
