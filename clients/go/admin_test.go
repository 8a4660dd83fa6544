package llmgateway_test

import (
	"testing"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

// The tests run side by side on one gateway: each keeps answers of its own.
func TestCacheIsWarmedAndCleared(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		ctx := patient(t)
		request := ask("Warm " + t.Name())
		// The one whose answers the gateway of these tests keeps.
		request.Model = "openai/gpt-4o-mini"
		request.Metadata = map[string]string{"test": t.Name()}
		var outcomes []string
		var done bool
		for event, err := range client.WarmCache(ctx, &v1.WarmCacheRequest{Requests: []*v1.ChatRequest{request}}) {
			if err != nil {
				t.Fatal(err)
			}
			if event.GetRequest() != nil {
				outcomes = append(outcomes, event.GetRequest().GetOutcome())
			}
			done = event.GetDone()
		}
		if len(outcomes) != 1 || outcomes[0] != "kept" || !done {
			t.Errorf("told %q, done %v", outcomes, done)
		}
		reply, err := client.Chat(ctx, request)
		if err != nil || !reply.GetCached() {
			t.Errorf("cached %v, %v", reply.GetCached(), err)
		}
		stats, err := client.GetCacheStats(ctx, &v1.GetCacheStatsRequest{})
		if err != nil || !stats.GetEnabled() || stats.GetHits() < 1 {
			t.Errorf("stats %v, %v", stats, err)
		}
		cleared, err := client.ClearCache(ctx, &v1.ClearCacheRequest{Tag: "test=" + t.Name()})
		if err != nil || cleared.GetCleared() != 1 {
			t.Errorf("cleared %v, %v", cleared, err)
		}
	})
}

func TestWarmCacheTellsWhatIsRefused(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		var failures []*llmgateway.Error
		for event, err := range client.WarmCache(patient(t), &v1.WarmCacheRequest{}) {
			if event != nil {
				t.Errorf("told %v", event)
			}
			failures = append(failures, llmgateway.ErrorFrom(err))
		}
		if len(failures) != 1 || failures[0].Kind != "invalid_request" {
			t.Errorf("failed with %v", failures)
		}
	})
}
