package llmgateway_test

import (
	"testing"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	v1 "github.com/llmgateway/llmgateway/gen/go/llmgateway/v1"
)

func comparing(content string, models ...string) *v1.CompareRequest {
	request := ask(content)
	request.Model = ""
	return &v1.CompareRequest{Request: request, Models: models}
}

func TestCompareGivesTheWordsOfEachModel(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		texts := make([]string, 2)
		var receipts int
		var totals *v1.CompareTotals
		for event, err := range client.Compare(patient(t), comparing("Hello", "openai/gpt-4o", "openai/gpt-4o-mini")) {
			if err != nil {
				t.Fatal(err)
			}
			if event.Index != nil {
				texts[event.GetIndex()] += event.GetEvent().GetToken()
			}
			if event.GetEvent().GetReceipt() != nil {
				receipts++
			}
			totals = event.GetTotals()
		}
		if texts[0] == "" || texts[1] == "" || receipts != 2 {
			t.Errorf("said %q, with %d receipts", texts, receipts)
		}
		if totals.GetServed() != 2 || totals.GetCostPicoUsd() == 0 {
			t.Errorf("totals %v", totals)
		}
	})
}

func TestCompareTellsWhatIsRefused(t *testing.T) {
	atGateway(t, func(t *testing.T, client *llmgateway.Client) {
		var failures []*llmgateway.Error
		for event, err := range client.Compare(patient(t), comparing("Hello", "nobody/knows", "nobody/either")) {
			if event != nil {
				t.Errorf("told %v", event)
			}
			failures = append(failures, llmgateway.ErrorFrom(err))
		}
		if len(failures) != 1 || failures[0].Kind != "unknown_model" {
			t.Errorf("failed with %v", failures)
		}
	})
}
