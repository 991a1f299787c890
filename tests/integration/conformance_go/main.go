// Requests that the core of the Go SDK signs: a line of JSON in, a line out.
// in: {"method", "url", "body"}   out: {"status", "code", "body"}   (keys: the environment's)
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

type ask struct{ Method, URL, Body string }

type answer struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Body   string `json:"body"`
}

func send(signer *v4.Signer, keys aws.Credentials, a ask) (answer, error) {
	request, err := http.NewRequest(a.Method, a.URL, strings.NewReader(a.Body))
	if err != nil {
		return answer{}, err
	}
	hash := sha256.Sum256([]byte(a.Body))
	if a.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	err = signer.SignHTTP(context.Background(), keys, request, hex.EncodeToString(hash[:]), "lambda", os.Getenv("AWS_REGION"), time.Now())
	if err != nil {
		return answer{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("X-Amzn-Errortype"), string(body)}, err
}

func main() {
	keys := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	signer := v4.NewSigner()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a ask
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			panic(err)
		}
		said, err := send(signer, keys, a)
		if err != nil {
			panic(err)
		}
		out.Encode(said)
	}
}
