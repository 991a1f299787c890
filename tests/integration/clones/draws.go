// Go's share of draws.py.
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand"
	"os"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		bytes := make([]byte, 16)
		if _, err := rand.Read(bytes); err != nil {
			panic(err)
		}
		fmt.Printf("{\"crypto/rand\":\"%s\",\"math/rand\":\"%d\"}\n", hex.EncodeToString(bytes), mathrand.Int63())
	}
}
