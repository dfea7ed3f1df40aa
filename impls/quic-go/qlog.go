package main

import (
	"context"
	"log"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

// traces are the qlog files of this process, one per connection, in QLOGDIR. quic-go writes them in the background and
// through a buffer, so a program that just exits would leave them without their ends.
type traces struct {
	open sync.WaitGroup
}

func (t *traces) tracer(ctx context.Context, isClient bool, id quic.ConnectionID) qlogwriter.Trace {
	trace := qlog.DefaultConnectionTracer(ctx, isClient, id)
	if trace == nil {
		return nil
	}
	return countedTrace{trace, &t.open}
}

// flush returns when all files are complete, which they are soon after their connections have ended.
func (t *traces) flush() {
	done := make(chan struct{})
	go func() {
		t.open.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		log.Print("some qlog files are not complete")
	}
}

// A file is complete when all that add to it have closed their recorders.
type countedTrace struct {
	qlogwriter.Trace
	open *sync.WaitGroup
}

func (t countedTrace) AddProducer() qlogwriter.Recorder {
	recorder := t.Trace.AddProducer()
	if recorder == nil {
		return nil
	}
	t.open.Add(1)
	return countedRecorder{recorder, t.open}
}

type countedRecorder struct {
	qlogwriter.Recorder
	open *sync.WaitGroup
}

func (r countedRecorder) Close() error {
	defer r.open.Done()
	return r.Recorder.Close()
}
