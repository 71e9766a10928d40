namespace LlmTune.Data;

/// <summary>A place in the sequence of batches: all that a checkpoint keeps of the data.</summary>
/// <param name="Epoch">From 0.</param>
/// <param name="Row">Rows of the epoch that are used up.</param>
/// <param name="Seed">Seed of the order.</param>
/// <param name="Data">Fingerprint of the documents and of how they are laid into rows.</param>
public sealed record BatchState(int Epoch, int Row, long Seed, string Data);

/// <summary>How rows are divided over micro-batches and processes.</summary>
/// <param name="RowsPerBatch">Rows of a micro-batch.</param>
/// <param name="Accumulation">Micro-batches of an optimizer step, in each process.</param>
public sealed record BatchShape(int RowsPerBatch, int Accumulation = 1, int Rank = 0, int World = 1)
{
    public int RowsPerStep => checked(RowsPerBatch * Accumulation * World);
}

/// <summary>What one optimizer step works on.</summary>
public sealed record StepBatches
{
    /// <summary>The micro-batches of this process; fewer, or none, at the end of an epoch.</summary>
    public required IReadOnlyList<TokenBatch> Micro { get; init; }

    public required int Epoch { get; init; }

    /// <summary>Epochs that are over after this step, with the fraction of the running one.</summary>
    public required double Progress { get; init; }

    /// <summary>Tokens trained on in the whole step, over all processes: what its loss is divided by.</summary>
    public required int Supervised { get; init; }

    /// <summary>Tokens of the whole step, over all processes.</summary>
    public required int Tokens { get; init; }

    /// <summary>What the whole step takes of each source.</summary>
    public required IReadOnlyList<SourceShare> Shares { get; init; }

    /// <summary>Judged answers of the whole step, over all processes.</summary>
    public required int Answers { get; init; }

    /// <summary>Pairs of a better and a worse answer to the same prompt, over all processes.</summary>
    public required int Pairs { get; init; }
}

/// <summary>
/// The batches of training one after the other, epoch after epoch without end. The last step of an epoch takes what rows are left.
/// The next step is prepared in the background; only integers are made there.
/// </summary>
public sealed class Batches
{
    private readonly Corpus _corpus;
    private readonly BatchShape _shape;
    private readonly long _seed;
    private EpochPlan _plan;
    private int _epoch;
    private int _row;
    private Task<StepBatches>? _next;

    /// <exception cref="RequestException">The first epoch has no row.</exception>
    public Batches(Corpus corpus, BatchShape shape, long seed)
    {
        (_corpus, _shape, _seed) = (corpus, shape, seed);
        _plan = corpus.Plan(0);
        if (_plan.Rows == 0)
            throw new RequestException($"no row of {corpus.MaxLength:N0} tokens holds a token to train on; raise data.max_length, or take data.packing: true");
    }

    /// <summary>The rows of the running epoch.</summary>
    public EpochPlan Plan => _plan;

    /// <summary>The place before the next step.</summary>
    public BatchState State => new(_epoch, _row, _seed, _corpus.Fingerprint);

    /// <summary>Goes to a place that <see cref="State"/> gave, of batches of any division.</summary>
    /// <exception cref="RequestException">The place belongs to other data or another order.</exception>
    public void Restore(BatchState state)
    {
        if (state.Seed != _seed)
            throw new RequestException($"the checkpoint's order of data has seed {state.Seed}, this run's is {_seed}; set training.data_seed to {state.Seed}");
        if (state.Data != _corpus.Fingerprint)
        {
            throw new RequestException(
                $"the checkpoint belongs to other data (fingerprint {state.Data}, this run's is {_corpus.Fingerprint}): the files, the settings in data, the "
                + "tokenizer or the chat template have changed, so its place in the epoch means nothing; restore them, or start a new run");
        }
        _next = null;
        _plan = state.Epoch == _epoch ? _plan : _corpus.Plan(state.Epoch);
        (_epoch, _row) = (state.Epoch, state.Row);
    }

    /// <summary>Steps that so many epochs have.</summary>
    public int Steps(double epochs)
    {
        var whole = (int)Math.Floor(epochs);
        var steps = 0;
        for (var epoch = 0; epoch < whole; epoch++) steps += StepsOf(epoch);
        return epochs > whole ? steps + (int)Math.Ceiling((epochs - whole) * StepsOf(whole)) : steps;
    }

    private int StepsOf(int epoch) => (epoch == _epoch ? _plan : _corpus.Plan(epoch)).Steps(_shape.RowsPerStep);

    /// <summary>The next step.</summary>
    public StepBatches Next()
    {
        while (_row >= _plan.Rows) (_plan, _epoch, _row) = (_corpus.Plan(_epoch + 1), _epoch + 1, 0);
        var step = _next is null ? Build(_plan, _epoch, _row) : _next.GetAwaiter().GetResult();
        _row = Math.Min(_row + _shape.RowsPerStep, _plan.Rows);
        var (plan, epoch, row) = (_plan, _epoch, _row);
        _next = row < plan.Rows ? Task.Run(() => Build(plan, epoch, row)) : null;
        return step;
    }

    private StepBatches Build(EpochPlan plan, int epoch, int from)
    {
        var end = Math.Min(from + _shape.RowsPerStep, plan.Rows);
        List<TokenBatch> micro = [];
        for (var a = 0; a < _shape.Accumulation; a++)
        {
            var first = from + (((a * _shape.World) + _shape.Rank) * _shape.RowsPerBatch);
            if (first < end) micro.Add(RowBatches.Of(_corpus, plan, first, Math.Min(first + _shape.RowsPerBatch, end)));
        }
        var (supervised, tokens, answers, pairs) = RowBatches.Count(_corpus, plan, from, end);
        return new StepBatches
        {
            Micro = micro,
            Epoch = epoch,
            Progress = epoch + ((double)end / plan.Rows),
            Supervised = supervised,
            Tokens = tokens,
            Answers = answers,
            Pairs = pairs,
            Shares = RowBatches.Shares(_corpus, plan, from, end),
        };
    }
}
