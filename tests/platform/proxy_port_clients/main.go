// go-redis and lib/pq, for proxy_native_test.py.
//
//	native redis HOST PORT
//	native postgres HOST PORT PASSWORD
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"

	_ "github.com/lib/pq"
	"github.com/redis/go-redis/v9"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func redisTalk(address string) {
	ctx, c := context.Background(), redis.NewClient(&redis.Options{Addr: address})
	value := strings.Repeat("go", 50000)
	check(c.MSet(ctx, "go", value, "go-count", 0).Err())
	got, err := c.Get(ctx, "go").Result()
	check(err)
	_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := 0; i < 100; i++ {
			p.Incr(ctx, "go-count")
		}
		return nil
	})
	check(err)
	n, err := c.Get(ctx, "go-count").Int()
	check(err)
	fmt.Println(got == value, n)
}

func postgresTalk(host, port, password string) {
	db, err := sql.Open("postgres", fmt.Sprintf("host=%s port=%s user=rig password='%s' dbname=postgres sslmode=require", host, port, password))
	check(err)
	var n, sum int
	check(db.QueryRow("select $1::int + 1", 41).Scan(&n))
	rows, err := db.Query("select generate_series(1, 1000)")
	check(err)
	for rows.Next() {
		var i int
		check(rows.Scan(&i))
		sum += i
	}
	fmt.Println(n, sum)
}

func main() {
	if os.Args[1] == "redis" {
		redisTalk(os.Args[2] + ":" + os.Args[3])
	} else {
		postgresTalk(os.Args[2], os.Args[3], os.Args[4])
	}
}
