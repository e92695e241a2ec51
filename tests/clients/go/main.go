// Go's golang.org/x/oauth2/google/externalaccount: the workload's token lies in a file, and every request carries a token of ours.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google/externalaccount"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	source, err := externalaccount.NewTokenSource(ctx, externalaccount.Config{
		Audience:         os.Getenv("API"),
		SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt",
		TokenURL:         os.Getenv("STS") + "/oauth/2/token",
		CredentialSource: &externalaccount.CredentialSource{File: os.Getenv("TOKEN_FILE")},
		Scopes:           []string{"read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := oauth2.NewClient(ctx, source).Get(os.Getenv("API"))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	seen, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(seen))
}
