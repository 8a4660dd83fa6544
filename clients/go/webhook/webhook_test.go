package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/llmgateway/llmgateway/clients/go/webhook"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	secret = "whsec_YSBzZWNyZXQgb2YgdGhlIHRlc3Rz"
	other  = "whsec_YW5vdGhlciBvbmU="
)

var completed = []byte(`{"type": "job.completed", "timestamp": "2026-11-24T12:00:00Z", "data": {
	"job": {"job_id": "0191f2a0-0000-7000-8000-000000000000", "status": "completed", "from_the_future": 1},
	"result": {"response": "Hello"}}}`)

func signed(t *testing.T, body []byte, at time.Time) http.Header {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign("id", at, body)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, "id")
	header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(at.Unix()))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return header
}

func TestVerifyReadsWhatAnyOfTheSecretsSigned(t *testing.T) {
	payload, err := webhook.Verify(completed, signed(t, completed, time.Now()), other, secret)
	if err != nil {
		t.Fatal(err)
	}
	told := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	if payload.Type != "job.completed" || !payload.Timestamp.Equal(told) {
		t.Errorf("got %s at %s", payload.Type, payload.Timestamp)
	}
	if payload.Job.GetStatus() != "completed" || payload.Result.GetResponse() != "Hello" || payload.Batch != nil {
		t.Errorf("got %v", payload)
	}
	batch := []byte(`{"type": "batch.completed", "timestamp": "2026-11-24T12:00:00Z", "data": {"batch": {"total": 3}}}`)
	payload, err = webhook.Verify(batch, signed(t, batch, time.Now()), secret)
	if err != nil || payload.Batch.GetTotal() != 3 || payload.Job != nil {
		t.Errorf("got %v, %v", payload, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		body    []byte
		header  http.Header
		secrets []string
	}{
		"another secret":  {completed, signed(t, completed, now), []string{other}},
		"another body":    {bytes.Replace(completed, []byte("Hello"), []byte("Hallo"), 1), signed(t, completed, now), []string{secret}},
		"an old one":      {completed, signed(t, completed, now.Add(-301*time.Second)), []string{secret}},
		"no signature":    {completed, http.Header{}, []string{secret}},
		"no secret":       {completed, signed(t, completed, now), nil},
		"an empty secret": {completed, signed(t, completed, now), []string{""}},
	} {
		if payload, err := webhook.Verify(test.body, test.header, test.secrets...); err == nil {
			t.Errorf("%s: got %v", name, payload)
		}
	}
}

func ExampleVerify() {
	http.HandleFunc("POST /hooks/llm", func(reply http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(reply, request.Body, 1<<20))
		if err != nil {
			http.Error(reply, "it cannot be read", http.StatusBadRequest)
			return
		}
		payload, err := webhook.Verify(body, request.Header, os.Getenv("LLMGATEWAY_WEBHOOK_SECRET"))
		if err != nil {
			http.Error(reply, "not signed by the gateway", http.StatusUnauthorized)
			return
		}
		log.Println(payload.Type, payload.Job.GetJobId(), payload.Result.GetResponse())
	})
}
