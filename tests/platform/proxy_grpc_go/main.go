// gRPC's client and server of Go, for proxy_grpc_test.py; messages are bytes.
//
//	proxy_grpc_go server				serves /echo/* and prints its port
//	proxy_grpc_go client PORT HOST CA TOKEN		calls them and prints what came of it, as JSON
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func receive(s grpc.ServerStream) ([]byte, error) {
	var data []byte
	err := s.RecvMsg(&data)
	return data, err
}

// One handler for all kinds: what differs is how much is read and sent.
func handle(_ any, s grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(s)
	s.SetTrailer(metadata.Pairs("x-last", "2", "x-last-bin", "\xff\x00"))
	all := []byte{}
	for n := 0; ; n++ {
		data, err := receive(s)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch method {
		case "/echo/early": // the answer, while the client goes on
			return s.SendMsg(&data)
		case "/echo/fail":
			return status.Error(codes.NotFound, "nothing")
		case "/echo/sleep":
			<-s.Context().Done()
			return s.Context().Err()
		case "/echo/server":
			count, _ := strconv.Atoi(string(data))
			for i := 0; i < count; i++ {
				piece := []byte(strconv.Itoa(i))
				if err := s.SendMsg(&piece); err != nil {
					return err
				}
			}
			return nil
		case "/echo/bidi":
			if err := s.SendMsg(&data); err != nil {
				return err
			}
		default:
			all = append(all, data...)
		}
	}
	if method == "/echo/bidi" {
		return nil
	}
	return s.SendMsg(&all)
}

func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	check(grpc.NewServer(grpc.UnknownServiceHandler(handle), grpc.MaxRecvMsgSize(1<<30)).Serve(l))
}

type token string

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"x-aws-proxy-auth": string(t), "x-aws-proxy-force-h2": "true"}, nil
}
func (token) RequireTransportSecurity() bool { return true }

// Sends the pieces and collects the answers.
func stream(c *grpc.ClientConn, method string, limit time.Duration, pieces ...[]byte) ([]string, metadata.MD, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/echo/"+method)
	if err != nil {
		return nil, nil, err
	}
	for i := range pieces {
		if err := s.SendMsg(&pieces[i]); err != nil {
			break
		}
	}
	if method != "early" {
		check(s.CloseSend())
	}
	got := []string{}
	for {
		var data []byte
		if err := s.RecvMsg(&data); err == io.EOF {
			return got, s.Trailer(), nil
		} else if err != nil {
			return got, s.Trailer(), err
		}
		got = append(got, string(data))
	}
}

func client(port, host, ca, secret string) {
	pem, err := os.ReadFile(ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c, err := grpc.Dial("127.0.0.1:"+port, grpc.WithPerRPCCredentials(token(secret)),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: host})),
		grpc.WithAuthority(host), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	check(err)
	out := map[string]any{}
	got, trailer, err := stream(c, "unary", 20*time.Second, []byte("hi"))
	check(err)
	out["unary"] = []any{got[0], trailer.Get("x-last")[0], []int{int(trailer.Get("x-last-bin")[0][0]), int(trailer.Get("x-last-bin")[0][1])}}
	big := make([]byte, 8<<20)
	got, _, err = stream(c, "unary", 60*time.Second, big)
	out["big"] = err == nil && got[0] == string(big)
	_, _, err = stream(c, "fail", 20*time.Second, []byte{})
	out["fail"] = status.Code(err)
	_, _, err = stream(c, "sleep", 500*time.Millisecond, []byte{})
	out["deadline"] = status.Code(err)
	got, _, err = stream(c, "client", 20*time.Second, []byte("a"), []byte("b"), []byte("c"))
	check(err)
	out["client"] = got[0]
	out["server"], _, err = stream(c, "server", 20*time.Second, []byte("50"))
	check(err)
	out["bidi"], _, err = stream(c, "bidi", 20*time.Second, []byte("x"), []byte("y"))
	check(err)
	got, _, err = stream(c, "early", 20*time.Second, big)
	out["early"] = err == nil && len(got) == 1 && got[0] == string(big)
	check(json.NewEncoder(os.Stdout).Encode(out))
}

func main() {
	encoding.RegisterCodec(raw{})
	if os.Args[1] == "server" {
		serve()
	}
	client(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
}
