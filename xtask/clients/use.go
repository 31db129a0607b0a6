// Uses the client that openapi-generator generates for Go: create, list, verify, rotate, revoke.
package main

import (
	"context"
	"log"
	"os"

	latchkey "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func check(good bool, what string) {
	if !good {
		log.Fatal(what)
	}
}

func must(err error) {
	if failure, is := err.(*latchkey.GenericOpenAPIError); is {
		log.Fatal(string(failure.Body()))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	configuration := latchkey.NewConfiguration()
	configuration.Servers = latchkey.ServerConfigurations{{URL: os.Getenv("LATCHKEY_URL")}}
	client := latchkey.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), latchkey.ContextAPIKeys,
		map[string]latchkey.APIKey{"api_key": {Key: os.Getenv("LATCHKEY_KEY")}})

	body := latchkey.NewNewKeyBody(os.Getenv("LATCHKEY_GROUP"), "Go client")
	created, _, err := client.APIKeysAPI.CreateApiKey(ctx).NewKeyBody(*body).Execute()
	must(err)
	secret := created.GetSecret()
	check(secret != "", "the secret is shown once")

	list, _, err := client.APIKeysAPI.ListApiKeys(ctx).Q("Go client").Status(latchkey.ACTIVE).Execute()
	must(err)
	check(len(list.Items) == 1 && list.Items[0].Id == created.Id, "the new key is listed")

	verify := func(secret string) *latchkey.VerifyAnswer {
		answer, _, err := client.VerificationAPI.VerifyApiKey(ctx).VerifyBody(*latchkey.NewVerifyBody(secret)).Execute()
		must(err)
		return answer
	}
	good := verify(secret)
	check(good.VerifyAnswerOneOf != nil && good.VerifyAnswerOneOf.Key.Id == created.Id, "the secret is good")

	rotated, _, err := client.APIKeysAPI.RotateApiKey(ctx, created.Id).Execute()
	must(err)
	check(rotated.GetSecret() != secret, "the new secret is another one")
	refused := verify(secret)
	check(refused.VerifyAnswerOneOf1 != nil && refused.VerifyAnswerOneOf1.Code == latchkey.INVALID_API_KEY,
		"the old secret is refused")

	revoked, _, err := client.APIKeysAPI.RevokeApiKey(ctx, created.Id).Execute()
	must(err)
	check(revoked.Status == latchkey.REVOKED, "the key is revoked")
	refused = verify(rotated.GetSecret())
	check(refused.VerifyAnswerOneOf1 != nil && refused.VerifyAnswerOneOf1.Code == latchkey.REVOKED_API_KEY,
		"the revoked key is refused")

	_, _, err = client.APIKeysAPI.RotateApiKey(ctx, created.Id).Execute()
	failure, is := err.(*latchkey.GenericOpenAPIError)
	check(is, "a revoked key cannot be rotated")
	problem, is := failure.Model().(latchkey.Problem)
	check(is && problem.Code == latchkey.KEY_REVOKED, "the problem has a typed code")
}
