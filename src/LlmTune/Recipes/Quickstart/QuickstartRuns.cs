using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Io;
using LlmTune.Models;

namespace LlmTune.Recipes.Quickstart;

/// <summary>The shape of the model and the two run files of a quickstart, as a person would write them. Paths count from the file.</summary>
internal static class QuickstartRuns
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static void Write(QuickstartFolder folder, long seed, QuickstartSize size)
    {
        AtomicFile.WriteText(folder.Shape, Shape(size.Vocabulary).ToJsonString(Indented) + "\n");
        AtomicFile.WriteText(folder.PretrainFile, Pretrain(seed, size, QuickstartFolder.Shown(folder.PretrainFile)));
        AtomicFile.WriteText(folder.LoraFile, Lora(seed, size, QuickstartFolder.Shown(folder.LoraFile)));
    }

    /// <summary>
    /// Qwen3's, with three layers. Against the named shape tiny it has wider heads and larger initial weights: with them a model of this
    /// size learns to copy words from its prompt within some hundred steps.
    /// </summary>
    private static JsonObject Shape(int vocabulary)
    {
        var shape = NamedShapes.Find("tiny")!;
        shape["vocab_size"] = vocabulary;
        shape["hidden_size"] = 128;
        shape["intermediate_size"] = 256;
        shape["num_hidden_layers"] = 3;
        shape["head_dim"] = 32;
        shape["rope_theta"] = 1000.0;
        shape["max_position_embeddings"] = 256;
        shape["initializer_range"] = 0.08;
        return shape;
    }

    private static string Pretrain(long seed, QuickstartSize size, string file) => $$"""
        # Pretraining: a model with random weights reads general text and conversations about a little world.
        #
        #   llmtune train {{file}} --force
        #
        # What is trained is the whole model; it is written to base/model, which Transformers loads. Paths in this file are relative to it.

        model:
          path: untrained             # a folder with config.json and tokenizer
          init: random                # weights drawn by training.seed
          dtype: float32              # on a GPU too: a model this small costs nothing in full precision

        data:
          sources:
            - { path: data/text.jsonl }     # {"text": …}: every token is trained on
            - { path: data/chats.jsonl }    # {"messages": […]}: the assistant's answers are trained on
          eval: { fraction: 0.01 }    # held out, chosen by the rows' hash
          max_length: 128             # tokens in a row
          packing: false              # one text a row: small steps, many of them
          cache: false                # a toy's tokens need not be kept

        training:
          output_dir: base
          num_train_epochs: 1
          per_device_train_batch_size: {{size.PretrainBatch}}
          learning_rate: 3e-3         # high, because the model is tiny
          weight_decay: 0.1
          adam_beta2: 0.95
          logging_steps: 20
          eval_steps: {{size.EvalSteps}}
          seed: {{seed}}

        """;

    private static string Lora(long seed, QuickstartSize size, string file) => $$"""
        # LoRA: the pretrained model learns to answer questions about tables in SQL, and keeps reading some general text beside.
        #
        #   llmtune train {{file}} --force
        #
        # The adapter is written to lora/adapter in PEFT's format. Paths in this file are relative to it.

        model:
          path: base/model
          dtype: float32              # on a GPU too: a model this small costs nothing in full precision

        adapter:
          type: lora
          r: 16                       # rank of the update
          lora_alpha: 32

        data:
          sources:
            - { path: data/questions.jsonl, weight: 8 }   # the task, eight rows of nine
            - { path: data/text.jsonl, weight: 1 }        # general text, so that it is not forgotten
          mixing: first_exhausted     # an epoch ends when the task has been seen once
          eval:
            sources: [{ path: data/held-out.jsonl }]      # questions about tables that are not trained on
          max_length: 128
          packing: false
          cache: false

        training:
          output_dir: lora
          num_train_epochs: 1
          per_device_train_batch_size: 8
          learning_rate: 4e-3         # high, because the model is tiny; 2e-4 is usual for real ones
          logging_steps: 20
          eval_steps: {{size.EvalSteps}}
          seed: {{seed}}

        """;
}
