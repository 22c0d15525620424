// Reads tokens, each a line of base64, and tells of each what Verify makes of it.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"shop/session"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx := context.Background()
	verifier, err := session.New(ctx, os.Getenv("KATAVEN_URL"))
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		token, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		claims, err := verifier.Verify(ctx, string(token))
		switch {
		case err == nil:
			fmt.Println("good", claims.Subject)
		case errors.Is(err, session.ErrInvalid):
			fmt.Println("invalid")
		default:
			fmt.Println("no keys:", err)
		}
	}
}
