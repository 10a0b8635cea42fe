package pool

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// answerWithin is how long a pool may take to say that a worker is under way. Runners wait a minute.
const answerWithin = 15 * time.Second

// Deal asks other pools for workers, each in its turn. A pool that does not answer, since its process was
// killed or its machine is down, is passed over.
func Deal(pools []string, told func(line string)) Starter {
	var next atomic.Uint32
	return func(ctx context.Context, _ *Pool, r *fnpb.StartWorkerRequest) error {
		first := int(next.Add(1)-1) % len(pools)
		var problems []error
		for i := range pools {
			at := pools[(first+i)%len(pools)]
			err := ask(ctx, at, r)
			if err == nil {
				return nil
			}
			told(fmt.Sprintf("pool %s is passed over: %v", at, err))
			problems = append(problems, fmt.Errorf("pool %s: %w", at, err))
		}
		return errors.Join(problems...)
	}
}

func ask(ctx context.Context, at string, r *fnpb.StartWorkerRequest) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	c, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := fnpb.NewBeamFnExternalWorkerPoolClient(c).StartWorker(ctx, r)
	if err == nil && answer.GetError() != "" {
		err = errors.New(answer.GetError())
	}
	return err
}
