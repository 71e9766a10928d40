using System.Runtime.InteropServices;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// Trains a BPE vocabulary: again and again the pair of neighbours that occurs most often becomes an entry, of equal ones the pair
/// with the smaller ids. Vocabulary and merges equal those of Hugging Face's trainer, in order, for any number of threads.
/// </summary>
public static class BpeTrainer
{
    /// <param name="texts">Texts one by one; a file is given by its lines, each with its line end.</param>
    /// <param name="threads">0 for as many as there are processors.</param>
    public static TrainedTokenizer Train(
        IEnumerable<string> texts, BpeTraining training, IProgress<TrainingProgress>? progress = null, int threads = 0, CancellationToken cancel = default)
    {
        var onBytes = training.Pattern != TrainingPattern.Words;
        var normalizer = training.ComposeUnicode ? new UnicodeForm(NormalizationForm.FormC) : null;
        Action<long> report = read => progress?.Report(new TrainingProgress("reading", read, 0));
        var counts = WordCounts.Count(texts, normalizer, Splitter(training.Pattern), threads, report, cancel);
        var words = counts.Select(word => (Characters(word.Key, onBytes), word.Value)).ToList();
        var run = new BpeTrainingRun(training, words);
        run.Merge(progress, cancel);
        return new TrainedTokenizer(training, run.Tokens, run.Merges());
    }

    /// <summary>The lines of a file with their line ends, as Hugging Face's <c>train(files)</c> reads them.</summary>
    public static IEnumerable<string> Lines(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start);
            end = end < 0 ? text.Length : end + 1;
            yield return text[start..end];
            start = end;
        }
    }

    private static Splitter Splitter(TrainingPattern pattern) => pattern switch
    {
        TrainingPattern.Gpt2 => new ScanSplitter(Scanners.Gpt2),
        TrainingPattern.Cl100k => new ScanSplitter(Scanners.Cl100k),
        TrainingPattern.Qwen2 => new ScanSplitter(Scanners.Qwen2),
        _ => new MatchSplitter(WordOrSymbols.Matches, SplitBehavior.Removed, invert: true),
    };

    private static int[] Characters(string word, bool onBytes) =>
        onBytes ? [.. Encoding.UTF8.GetBytes(word).Select(b => (int)ByteLevel.ToChar(b))] : [.. word.EnumerateRunes().Select(rune => rune.Value)];
}

/// <summary>The state of a training: words as lists of ids, how often each pair occurs and where.</summary>
internal sealed class BpeTrainingRun
{
    private readonly BpeTraining _training;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<int> _lengths = [];
    private readonly int[][] _words;
    private readonly int[] _wordLengths;
    private readonly long[] _wordCounts;
    private readonly Dictionary<ulong, long> _pairCounts = [];
    private readonly List<ulong> _merges = [];

    public BpeTrainingRun(BpeTraining training, List<(int[] Characters, long Count)> words)
    {
        _training = training;
        foreach (var token in training.SpecialTokens) IdOf(token, token.Length);
        var alphabet = new Dictionary<int, int>();
        foreach (var c in Alphabet(words)) alphabet[c] = IdOf(new Rune(c).ToString(), 1);
        _words = [.. words.Select(word => word.Characters.Where(alphabet.ContainsKey).Select(c => alphabet[c]).ToArray())];
        _wordLengths = [.. _words.Select(word => word.Length)];
        _wordCounts = [.. words.Select(word => word.Count)];
    }

    /// <summary>The entries in order of their ids.</summary>
    public List<string> Tokens { get; } = [];

    /// <summary>A pair that was merged twice, because its parts came about twice, has the later place.</summary>
    public List<(string Left, string Right)> Merges()
    {
        var last = new Dictionary<ulong, int>();
        for (var i = 0; i < _merges.Count; i++) last[_merges[i]] = i;
        return [.. last.OrderBy(merge => merge.Value).Select(merge => (Tokens[Left(merge.Key)], Tokens[Right(merge.Key)]))];
    }

    public void Merge(IProgress<TrainingProgress>? progress, CancellationToken cancel)
    {
        var queue = new PriorityQueue<(ulong Pair, List<int> Places), (long Count, ulong Pair)>(
            Comparer<(long Count, ulong Pair)>.Create((x, y) => x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Pair.CompareTo(y.Pair)));
        Enqueue(queue, CountPairs());
        var found = new Dictionary<ulong, List<int>>();
        while (_ids.Count < _training.VocabularySize && queue.TryDequeue(out var top, out var priority))
        {
            var count = _pairCounts[top.Pair];
            if (count != priority.Count)
            {
                queue.Enqueue(top, (count, top.Pair));
                continue;
            }
            if (count < 1 || count < _training.MinFrequency) break;
            cancel.ThrowIfCancellationRequested();
            var (left, right) = (Left(top.Pair), Right(top.Pair));
            var merged = IdOf(Tokens[left] + Tokens[right], _lengths[left] + _lengths[right]);
            _merges.Add(top.Pair);
            found.Clear();
            foreach (var word in top.Places) MergeIn(word, left, right, merged, found);
            Enqueue(queue, found);
            if (_merges.Count % 256 == 0) progress?.Report(new TrainingProgress("merging", _ids.Count, _training.VocabularySize));
        }
        progress?.Report(new TrainingProgress("merging", _ids.Count, _training.VocabularySize));
    }

    /// <summary>Joins a pair in one word, from left to right, and notes which pairs come and go.</summary>
    private void MergeIn(int index, int left, int right, int merged, Dictionary<ulong, List<int>> found)
    {
        var (word, length, count) = (_words[index], _wordLengths[index], _wordCounts[index]);
        var longest = _training.MaxTokenLength ?? int.MaxValue;
        for (var i = 0; i + 1 < length; i++)
        {
            if (word[i] != left || word[i + 1] != right) continue;
            word[i] = merged;
            word.AsSpan((i + 2)..length).CopyTo(word.AsSpan(i + 1));
            length--;
            if (i > 0)
            {
                Change(word[i - 1], left, -count);
                if (_lengths[word[i - 1]] + _lengths[merged] < longest) Note(Change(word[i - 1], merged, count));
            }
            if (i + 1 < length)
            {
                Change(right, word[i + 1], -count);
                if (_lengths[word[i + 1]] + _lengths[merged] < longest) Note(Change(merged, word[i + 1], count));
            }
        }
        _wordLengths[index] = length;

        void Note(ulong pair)
        {
            ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(found, pair, out _);
            places ??= [];
            if (places.Count == 0 || places[^1] != index) places.Add(index);
        }
    }

    private ulong Change(int left, int right, long by)
    {
        var pair = Pair(left, right);
        CollectionsMarshal.GetValueRefOrAddDefault(_pairCounts, pair, out _) += by;
        return pair;
    }

    private Dictionary<ulong, List<int>> CountPairs()
    {
        var places = new Dictionary<ulong, List<int>>();
        for (var index = 0; index < _words.Length; index++)
        {
            var word = _words[index];
            for (var i = 0; i + 1 < word.Length; i++)
            {
                var pair = Change(word[i], word[i + 1], _wordCounts[index]);
                ref var list = ref CollectionsMarshal.GetValueRefOrAddDefault(places, pair, out _);
                list ??= [];
                if (list.Count == 0 || list[^1] != index) list.Add(index);
            }
        }
        return places;
    }

    private void Enqueue(PriorityQueue<(ulong Pair, List<int> Places), (long Count, ulong Pair)> queue, Dictionary<ulong, List<int>> places)
    {
        foreach (var (pair, list) in places)
        {
            if (_pairCounts[pair] is > 0 and var count) queue.Enqueue((pair, list), (count, pair));
        }
    }

    /// <summary>The characters that occur and those that must be there, in order; the most frequent where their number is limited.</summary>
    private IEnumerable<int> Alphabet(List<(int[] Characters, long Count)> words)
    {
        var counts = new Dictionary<int, long>();
        foreach (var (characters, count) in words)
        {
            foreach (var c in characters) CollectionsMarshal.GetValueRefOrAddDefault(counts, c, out _) += count;
        }
        if (_training.AllBytes && _training.Pattern != TrainingPattern.Words)
        {
            foreach (var c in ByteLevel.Alphabet) counts[c] = long.MaxValue;
        }
        var kept = counts.OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Key).Select(entry => entry.Key);
        return (_training.LimitAlphabet is { } limit ? kept.Take(limit) : kept).Order();
    }

    private int IdOf(string token, int length)
    {
        ref var id = ref CollectionsMarshal.GetValueRefOrAddDefault(_ids, token, out var exists);
        if (exists) return id;
        id = Tokens.Count;
        Tokens.Add(token);
        _lengths.Add(length);
        return id;
    }

    private static ulong Pair(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private static int Left(ulong pair) => (int)(pair >> 32);

    private static int Right(ulong pair) => (int)(uint)pair;
}
