package llmgateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	llmgateway "github.com/llmgateway/llmgateway/clients/go"
	"github.com/llmgateway/llmgateway/gen/go/llmgateway/v1/llmgatewayv1connect"
)

func TestTLSWithCertificatesOfOnesOwn(t *testing.T) {
	_, handler := llmgatewayv1connect.NewGatewayServiceHandler(&scripted{outcomes: []outcome{answerOf("Hello")}})
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			transport := llmgateway.NewTransport(protocol)
			transport.TLSClientConfig = &tls.Config{RootCAs: trusted}
			t.Cleanup(transport.CloseIdleConnections)
			client := newClient(t, server.URL,
				llmgateway.WithProtocol(protocol), llmgateway.WithHTTPClient(&http.Client{Transport: transport}))
			if reply, err := client.Chat(patient(t), ask("Hello")); err != nil || reply.GetResponse() != "Hello" {
				t.Errorf("answered %v, %v", reply, err)
			}
		})
	}
}

func TestGRPCInCleartextIsHTTP2(t *testing.T) {
	for name, major := range map[string]int32{"connect": 1, "grpc": 2, "grpc-web": 1} {
		t.Run(name, func(t *testing.T) {
			server := serveScript(t, answerOf("Hello"))
			client := newClient(t, server.url, llmgateway.WithProtocol(protocols[name]))
			if _, err := client.Chat(patient(t), ask("Hello")); err != nil {
				t.Fatal(err)
			}
			if got := server.major.Load(); got != major {
				t.Errorf("called by HTTP/%d", got)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := serveScript(t, answerOf("Hello"))
	server := httptest.NewServer(http.RedirectHandler(elsewhere.url, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	if _, err := newClient(t, server.URL).Chat(patient(t), ask("Hello")); err == nil {
		t.Error("a redirect is an answer")
	}
	if opened := elsewhere.connections.Load(); opened != 0 {
		t.Error("the conversation was sent elsewhere")
	}
}
