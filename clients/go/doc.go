// Package llmgateway calls an llmgateway: one address for every model, with the exact cost of each answer.
//
//	client, err := llmgateway.New("http://localhost:8080", llmgateway.WithAPIKey(key))
//	reply, err := client.Chat(ctx, &v1.ChatRequest{
//		Model:    "openai/gpt-4o",
//		Messages: []*v1.Message{{Role: "user", Content: "Hello"}},
//	})
//	fmt.Println(reply.Response, reply.Cost.GetActualUsd())
//
// Requests and replies are the generated messages of package
// github.com/llmgateway/llmgateway/gen/go/llmgateway/v1, whose comments are the reference. The same client speaks
// Connect, gRPC and gRPC-Web; see [WithProtocol].
//
// # Money
//
// A reply and the last event of a stream say what the call cost, over all attempts at all providers. A cost that is
// not known is absent, never 0: generated getters give 0 for what is absent, so look at the pointer where the
// difference matters. The fields in pico-dollars (10⁻¹² USD) are exact.
//
// # Failures
//
// Every failure is an [*Error]. Its Kind is the gateway's word for what happened, as listed in docs/errors.md of the
// gateway; its Receipt is there whenever a provider was called, because a failed call may have been paid for.
//
// # Retries
//
// A client does not repeat a call unless [WithRetry] says so, and then only where the gateway said when it is worth
// it, and before the first event of an answer.
package llmgateway
