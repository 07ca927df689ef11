# /// row
# summary = "Whole: a factory of Sequential networks, CAM by a hook; a schedule, early stopping, best weights from a copy; augmented training images"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task3_architecture_tests",
#     "task3_training_tests",
#     "task3_accuracy_tests",
#     "task4_exp1_tests",
#     "task4_exp2_tests",
#     "task4_exp3_tests",
#     "task4_exp4_tests",
#     "task4_exp5_tests",
#     "task4_single_loop_tests",
#     "task5_cam_tests",
# ]
# ///

# %% task1_convolution
from itertools import product

def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q), dtype=np.result_type(X, K))
    for a, b in product(range(k), repeat=2):
        M += np.matmul(X[a:a + h, b:b + w], K[a, b])
    return M

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transforms.Compose([transforms.RandomHorizontalFlip(), transform]))
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
def siec(pool=None, gap=False, reg=(), wiecej=(), **opcje):
    # fabryka: lista warstw, potem Sequential
    warstwy = [nn.Conv2d(IMAGE_SHAPE[0], 12, 3, **opcje), nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    warstwy += [nn.Conv2d(12, 24, 3, **opcje), *[r(24) for r in reg], nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    for a, b in zip([24, *wiecej], wiecej):
        warstwy += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
    warstwy += [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()] if gap else [nn.Flatten()]
    model = nn.Sequential(*warstwy, nn.LazyLinear(10))
    model(torch.zeros(1, *IMAGE_SHAPE))
    return model.to(DEVICE)

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import copy

def ucz(name, model, epoki=4, cierpliwosc=2):
    # harmonogram, wczesne zatrzymanie i najlepsze wagi z kopii
    print(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0))
    trening, val = random_split(trainset, [0.9, 0.1], generator=torch.Generator().manual_seed(1))
    loader = DataLoader(trening, batch_size=64, shuffle=True)
    opt = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    plan = optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=epoki * len(loader))
    historia, najlepsza, wagi, bez_poprawy = pusta(), float("inf"), None, 0
    for epoka in range(epoki):
        model.train()
        straty = []
        for x, y in loader:
            strata = nn.CrossEntropyLoss()(model(x.to(DEVICE)), y.to(DEVICE))
            opt.zero_grad(set_to_none=True)
            strata.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            opt.step()
            plan.step()
            straty.append(strata.item())
        dopisz(historia, sum(straty) / len(straty), model, val)
        if historia["val_loss"][-1] < najlepsza:
            najlepsza, wagi, bez_poprawy = historia["val_loss"][-1], copy.deepcopy(model.state_dict()), 0
        else:
            bez_poprawy += 1
            if bez_poprawy >= cierpliwosc:
                break
    model.load_state_dict(wagi)
    ocen(name, model, historia)

# %% task3_baseline
ucz("baseline", siec())
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", siec(nn.MaxPool2d))
ucz("avg_pool", siec(nn.AvgPool2d))

# %% task4_exp2
ucz("gap", siec(nn.MaxPool2d, gap=True))

# %% task4_exp3
ucz("regularized", siec(nn.MaxPool2d, True, [nn.BatchNorm2d]))

# %% task4_exp4
ucz("deep", siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16, 24]))

# %% task4_exp5
ucz("custom", siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16], padding=2, dilation=2))
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
def cam(model, image, class_index):
    # odcinam głowicę: wszystko przed GAP
    warstwy = list(model.children())
    gdzie = next(i for i, w in enumerate(warstwy) if isinstance(w, nn.AdaptiveAvgPool2d))
    mapy = nn.Sequential(*warstwy[:gdzie]).eval()(image[None].to(DEVICE))[0]
    return torch.tensordot(warstwy[-1].weight[class_index], mapy, dims=1).detach()
